/*
 * node_items.c - what a node gives where items are solved by the driver: their cells once, then users' vectors.
 *
 * Cells by item go in order, as they may lie in files, and are not kept: nothing here asks for them any more.
 */
#include "postgres.h"

#include "compat.h"
#include "core/als/als_packed_vectors.h"
#include "distributed/node_items.h"
#include "distributed/node_sweep.h"
#include "distributed/node_users.h"
#include "pg/core_call.h"

/* Bytes of a cell that goes: its column, and whichever numbers cells have. */
static Size
CellBytes(const Cells *cells)
{
	return sizeof(int32) + (cells->matrix.rating || cells->ratings ? sizeof(float) : 0) +
		(CellsHaveWeights(cells) ? sizeof(float) : 0);
}

/* How many of some items go with a chunk, one at least. */
static int64
ItemsOfChunk(const MfRows *rows, Size width)
{
	int64		most = CHUNK_BYTES / (int64) width;
	int64		n = 1;

	while (n < rows->nrows && n < CHUNK_BYTES / (int64) sizeof(int32) && rows->start[n + 1] - rows->start[0] <= most)
		n++;
	return n;
}

/* A chunk of items' cells: their counts, then columns, and ratings and weights where cells have them. */
static bytea *
PackItemCells(int node, const MfRows *rows, Size width)
{
	int64		first = rows->start[0];
	int64		n = rows->start[rows->nrows] - first;
	bytea	   *chunk = MakeChunk(node, CHANNEL_ITEM_CELLS, rows->first, rows->nrows, NULL,
								  sizeof(int32) * rows->nrows + width * n);
	char	   *to = ChunkData(chunk);

	for (int64 r = 0; r < rows->nrows; r++)
	{
		int32		count = (int32) (rows->start[r + 1] - rows->start[r]);

		memcpy(to, &count, sizeof(count));
		to += sizeof(count);
	}
	PutCells(to, rows, first, n);
	return chunk;
}

/* Chunks of STEP_ITEM_CELLS.  Behind the last item's, cells by item are freed. */
static bytea *
NextItemCells(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	Cells	   *cells;
	SumsArgument argument;
	NodeCall	call;
	MfRows		rows;
	bytea	   *chunk;

	if (state->empty)
		return NULL;
	cells = &state->ratings->by_item;
	StepArgument(answer, &argument, sizeof(argument));
	if (state->next_item >= argument.first + argument.count)
	{
		if (state->next_item == state->problem.nitems && cells->nrows > 0)
			FreeCells(cells);
		return NULL;
	}
	/* cells may be read from a file, which is the training's; the chunk is the query's */
	EnterNode(state, &call);
	rows = NextItemRows(state, argument.first + argument.count);
	LeaveNode(&call);
	rows.nrows = ItemsOfChunk(&rows, CellBytes(cells));
	chunk = PackItemCells(answer->node, &rows, CellBytes(cells));
	state->next_item += rows.nrows;
	return chunk;
}

/* STEP_ITEM_CELLS: cells of the next items, from the first one on, each once.  Argument: SumsArgument. */
void
BeginItemCells(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	SumsArgument argument;

	answer->next = NextItemCells;
	if (state->empty)
		return;
	StepArgument(answer, &argument, sizeof(argument));
	if (argument.begins)
		BeginItemRows(state);
	CheckItems(state, &argument);
}

/* Chunks of STEP_USER_VECTORS: vectors, then biases where there are any. */
static bytea *
NextUserVectors(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	int			d = state->problem.factors;
	int64		ld = mf_padded(d);
	VectorsArgument argument;
	Size		width;
	Size		bias;
	int64		first;
	int64		n;
	bytea	   *chunk;

	if (state->empty)
		return NULL;
	StepArgument(answer, &argument, sizeof(argument));
	width = mf_packed_vector_bytes(d, argument.halves);
	bias = state->factors.user_bias ? sizeof(float) : 0;
	first = argument.first + answer->at;
	n = Min(argument.count - answer->at, state->problem.nusers - first);
	n = Min(n, Max(1, CHUNK_BYTES / (int64) (width + bias)));
	if (n <= 0)
		return NULL;
	chunk = MakeChunk(answer->node, CHANNEL_USER_VECTORS, first, n, NULL, (width + bias) * n);
	mf_vectors_pack(d, argument.halves, state->factors.user + first * ld, n, ChunkData(chunk));
	if (bias > 0)
		memcpy(ChunkData(chunk) + width * n, state->factors.user_bias + first, bias * n);
	answer->at += n;
	return chunk;
}

/* STEP_USER_VECTORS: vectors of users of here, as they were solved last.  Argument: VectorsArgument. */
void
BeginUserVectors(NodeAnswer *answer)
{
	VectorsArgument argument;

	answer->next = NextUserVectors;
	StepArgument(answer, &argument, sizeof(argument));
	if (argument.first < 0 || argument.count < 0 || argument.first > PG_INT32_MAX || argument.count > PG_INT32_MAX)
		NodeStepIsWrong();
}
