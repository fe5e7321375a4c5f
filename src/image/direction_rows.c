/*
 * direction_rows.c - the vectors by which items are alike, from those that a block has.
 *
 * An item resembles others by s_i, of a cold item without the shift that all of those have, or by q_i in a model of
 * ratings alone.  In a model of one part, without attributes and times, that is the list vector, and where list vectors
 * are whole numbers the first part of them.  Else it is put together for each item that is looked at, which saves an
 * image of floats a third of its size.
 */
#include "postgres.h"

#include "compat.h"
#include "core/base/padding.h"
#include "core/predict/predict.h"
#include "image/direction_rows.h"
#include "image/image_block.h"

/* How long the vectors are by which items are alike: what beyond it there is of s_i is 0. */
int
DirectionLength(const MfObjective *objective)
{
	return mf_ratings_alone(objective) ? mf_dimensions(objective) : objective->factors;
}

/* MfVectors: the vector at a position of the index. */
static const float *
DirectionRow(const void *state, int32_t position, float *row)
{
	const DirectionRows *rows = state;
	const MfObjective *objective = rows->objective;
	Size		at = (Size) position * rows->index->ld;
	int			length = DirectionLength(objective);
	int32		item = rows->index->item[position];
	int64		count = item < 0 ? 1 : rows->counts[item];
	bool		shifted = !mf_ratings_alone(objective) && mf_is_cold(objective, count);

	if (rows->index->vector == NULL)
		(void) mf_index_part(rows->index, 0, position, mf_padded(length), row);
	else if (rows->interest == NULL && rows->rating == NULL && !shifted)
		return rows->index->vector + at;
	else if (rows->interest || rows->rating == NULL)
		memcpy(row, (rows->interest ? rows->interest : rows->index->vector) + at, sizeof(float) * mf_padded(length));
	else
		mf_interest_vector(length, mf_item_taste(objective, count), rows->index->vector + at, rows->rating + at, row);
	if (shifted)
		mf_shift_cold(row, -1, rows->cold_shift, length);
	return row;
}

/*
 * Makes rows a view of a block whose sections but that of directions are there; returns what an index of directions
 * over that of lists needs, which points to rows.
 */
MfVectors
ViewDirectionRows(DirectionRows *rows, const char *block, const MfIndex *index)
{
	const ImageHeader *header = (const ImageHeader *) block;
	const MfObjective *objective = &header->objective;

	rows->objective = objective;
	rows->index = index;
	rows->interest = header->length[SECTION_INTEREST] > 0 ? SectionStart(block, SECTION_INTEREST) : NULL;
	rows->rating = header->length[SECTION_RATING] > 0 ? SectionStart(block, SECTION_RATING) : NULL;
	rows->counts = SectionStart(block, SECTION_COUNTS);
	rows->cold_shift = SectionStart(block, SECTION_COLD_SHIFT);
	return (MfVectors) {
		(rows->interest || rows->rating || (objective->item_map && !mf_ratings_alone(objective))) ? DirectionRow : NULL, rows,
		DirectionLength(objective)
	};
}
