/*
 * image_block.c - the block of memory that serving reads: what its file is recognised by.
 *
 * A block is sealed before it is written to a file, and looked at again when that is mapped; image_file.c says
 * what is guaranteed by that.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"

#include "compat.h"
#include "image/image_block.h"

/* CRC-32C of so many bytes. */
uint32
ImageChecksum(const char *data, int64 size)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, size);
	FIN_CRC32C(crc);
	return crc;
}

/* The checksum of all behind the header. */
uint32
ImageBodyChecksum(const char *block)
{
	return ImageChecksum(block + sizeof(ImageHeader), ((const ImageHeader *) block)->size - sizeof(ImageHeader));
}

/*
 * The stamp of a file whose contents have this checksum, in seconds since 1970: between 2001 and 2010, so that any
 * write to the file changes its time.
 */
int64
ImageStamp(uint32 checksum)
{
	return INT64CONST(1000000000) + checksum % (1 << 28);
}

/* Enters the header's own checksum. */
void
SealImageHeader(ImageHeader *header)
{
	header->header_checksum = ImageChecksum((const char *) header, offsetof(ImageHeader, header_checksum));
}

/* Enters what a file is recognised by: the checksums, and the stamp that follows from them. */
void
SealImageBlock(char *block)
{
	ImageHeader *header = (ImageHeader *) block;

	header->body_checksum = ImageBodyChecksum(block);
	header->stamp = ImageStamp(header->body_checksum);
	SealImageHeader(header);
}

/* Whether this is the header, whole and of our making, of that version's image of so many bytes. */
bool
ImageHeaderFits(const ImageHeader *header, const pg_uuid_t *uuid, int64 size)
{
	return memcmp(header->magic, IMAGE_MAGIC, sizeof(header->magic)) == 0 &&
		header->format == IMAGE_FORMAT && header->order == IMAGE_BYTE_ORDER &&
		header->header_size == sizeof(ImageHeader) && header->objective_size == sizeof(MfObjective) &&
		header->size == size && memcmp(&header->uuid, uuid, sizeof(pg_uuid_t)) == 0 &&
		header->database == MyDatabaseId && header->system == GetSystemIdentifier() &&
		header->header_checksum == ImageChecksum((const char *) header, offsetof(ImageHeader, header_checksum));
}
