/*
 * profile_encode.c - users who came after the training, by what is known of them.
 *
 * The training has left what each feature of users adds to the point that they are drawn to in a table.  So a user whom the
 * version does not know, but who has a row in the relation of user_features, gets the point that they would have got from
 * it: the mean user, moved by the sum of that.  It is read when the user is asked for, and nothing is stored.
 */
#include "postgres.h"

#include "features/feature_arguments.h"
#include "serve/item_encode.h"
#include "serve/profile_encode.h"

/*
 * vector: the point to which a user is drawn that the version does not know, ld floats.  False where their attributes say
 * nothing: there is no row of them, nothing in it that the training has learned of, or the current user cannot read it; see
 * OpenEncoder().
 */
bool
EncodeProfile(const Image *image, const Model *model, int32 version, int64 user, float *vector)
{
	ItemEncoder encoder;
	EncodedItems encoded;
	bool		moved = false;

	if (!OpenEncoder(&encoder, &user_side, model, version, &image->user_type))
		return false;
	EncodeItems(&encoder, &user, 1, true, &encoded);
	if (encoded.ids->count == 0)
		return false;
	for (int k = 0; k < mf_dimensions(&image->objective); k++)
	{
		moved |= encoded.vectors[k] != 0;
		vector[k] = image->mean_user[k] + encoded.vectors[k];
	}
	return moved;
}
