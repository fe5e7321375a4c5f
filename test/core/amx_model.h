/*
 * amx_model.h - tiles of bytes in plain C, as Intel's manual describes them (Architecture Instruction Set Extensions,
 * chapter on AMX; palette 1): what the kernel is compiled over in test_amx.c.
 *
 * Where a processor would raise an exception, a fault is counted.
 */
#ifndef AMX_MODEL_H
#define AMX_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/syrk_amx.h"

#define MODEL_TILES 8
#define MODEL_ROWS 16
#define MODEL_BYTES 64

typedef struct ModelTile
{
	int			rows;			/* as configured */
	int			bytes;			/* of a row */
	uint8_t		data[MODEL_ROWS][MODEL_BYTES];
} ModelTile;

static ModelTile model_tile[MODEL_TILES];
static bool model_configured;
static int	model_faults;
static int	model_dots;
static int	model_loads;
static int	model_stores;
static int	model_configurations;

/* #GP or #UD, unless so. */
static void
model_require(bool so)
{
	model_faults += !so;
}

/* LDTILECFG: all tiles are zero then. */
static void
model_configure(const void *memory)
{
	uint8_t		config[64];

	_Static_assert(sizeof(MfTileConfig) == 64, "a configuration is 64 bytes");
	memcpy(config, memory, sizeof(config));
	model_require(config[0] == 1 && config[1] == 0);
	for (int k = 2; k < 16; k++)
		model_require(config[k] == 0 && config[k + 30] == 0 && (k >= 10 || config[k + 54] == 0));
	memset(model_tile, 0, sizeof(model_tile));
	for (int t = 0; t < MODEL_TILES; t++)
	{
		uint16_t	bytes;

		memcpy(&bytes, config + 16 + 2 * t, sizeof(bytes));
		model_tile[t].rows = config[48 + t];
		model_tile[t].bytes = bytes;
		model_require(config[48 + t] <= MODEL_ROWS && bytes <= MODEL_BYTES && (config[48 + t] == 0) == (bytes == 0));
	}
	model_configured = true;
	model_configurations++;
}

/* TILERELEASE */
static void
model_release(void)
{
	memset(model_tile, 0, sizeof(model_tile));
	model_configured = false;
}

/* TILEZERO */
static void
model_zero(int t)
{
	model_require(model_configured && model_tile[t].rows > 0);
	memset(model_tile[t].data, 0, sizeof(model_tile[t].data));
}

/* TILELOADD: what a tile of this size does not have is zero. */
static void
model_load(int t, const void *from, size_t stride)
{
	model_zero(t);
	for (int r = 0; r < model_tile[t].rows; r++)
		memcpy(model_tile[t].data[r], (const char *) from + (size_t) r * stride, (size_t) model_tile[t].bytes);
	model_loads++;
}

/* TILESTORED */
static void
model_store(int t, void *to, size_t stride)
{
	model_require(model_configured && model_tile[t].rows > 0);
	for (int r = 0; r < model_tile[t].rows; r++)
		memcpy((char *) to + (size_t) r * stride, model_tile[t].data[r], (size_t) model_tile[t].bytes);
	model_stores++;
}

/* TDPBSSD: dst += a b, sums of four products of signed bytes, modulo 2^32. */
static void
model_dot(int dst, int a, int b)
{
	ModelTile  *to = &model_tile[dst];
	const ModelTile *x = &model_tile[a];
	const ModelTile *y = &model_tile[b];

	model_require(model_configured && dst != a && dst != b && a != b);
	model_require(to->rows == x->rows && to->bytes == y->bytes && x->bytes == 4 * y->rows && to->bytes % 4 == 0);
	for (int m = 0; m < x->rows; m++)
	{
		uint32_t	sum[MODEL_BYTES / 4];

		memcpy(sum, to->data[m], sizeof(sum));
		for (int k = 0; k < x->bytes / 4; k++)
			for (int n = 0; n < to->bytes / 4; n++)
				for (int i = 0; i < 4; i++)
					sum[n] += (uint32_t) ((int8_t) x->data[m][4 * k + i] * (int8_t) y->data[k][4 * n + i]);
		memcpy(to->data[m], sum, sizeof(sum));
	}
	model_dots++;
}

#define AMX_CONFIGURE(config) model_configure(config)
#define AMX_ZERO(t) model_zero(t)
#define AMX_LOAD(t, from, ld) model_load(t, from, (size_t) (ld) * 4)
#define AMX_DOT(c, a, b) model_dot(c, a, b)
#define AMX_STORE(t, to) model_store(t, to, sizeof((to)[0]))
#define AMX_RELEASE() model_release()

#endif
