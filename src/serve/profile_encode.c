/*
 * profile_encode.c - users who came after the training, by what is known of them.
 *
 * The training has left what each feature of users adds to the point that they are drawn to in a table.  So a user whom
 * the version does not know, but who has a row in the relation of user_features, gets the point that they would have
 * got from it: the mean user, moved by the sum of that.  It is read when the user is asked for, and stored by the next
 * mf_update or mf_refresh.
 */
#include "postgres.h"

#include "core/als/problem.h"
#include "features/feature_arguments.h"
#include "pg/alloc.h"
#include "serve/profile_encode.h"

/*
 * *users: those of n users, by id, that have a row in the relation, as EncodeItems() makes them, but with the points
 * that they are drawn to as vectors.  Returns of each whether that is another point than the mean user, which has d
 * floats.
 */
bool *
EncodeProfiles(const ItemEncoder *encoder, const float *mean_user, const int64 *ids, int n, bool read_only,
			   EncodedItems *users)
{
	int			d = mf_dimensions(&encoder->objective);
	bool	   *moved;

	EncodeItems(encoder, ids, n, read_only, users);
	moved = HugeZeroArray(users->ids->count, sizeof(bool));
	for (int i = 0; i < users->ids->count; i++)
	{
		float	   *vector = users->vectors + (int64) i * mf_padded(d);

		for (int k = 0; k < d; k++)
		{
			moved[i] |= vector[k] != 0;
			vector[k] += mean_user[k];
		}
	}
	return moved;
}

/*
 * vector: the point to which a user is drawn that the version does not know, ld floats.  False where their attributes
 * say nothing: there is no row of them, nothing in it that the training has learned of, or the current user cannot read
 * it; see OpenEncoder().
 */
bool
EncodeProfile(const Image *image, const Model *model, int32 version, int64 user, float *vector)
{
	ItemEncoder encoder;
	EncodedItems encoded;
	const bool *moved;

	if (!OpenEncoder(&encoder, &user_side, model, version, &image->user_type))
		return false;
	moved = EncodeProfiles(&encoder, image->mean_user, &user, 1, true, &encoded);
	if (encoded.ids->count == 0)
		return false;
	memcpy(vector, encoded.vectors, sizeof(float) * mf_dimensions(&image->objective));
	return moved[0];
}
