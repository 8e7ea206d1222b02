/* pack.c - gzip for the body of an export. */
#include <zlib.h>

#include "log.h"
#include "tracer.h"

#define GZIP_WINDOW (MAX_WBITS + 16) /* zlib's way to say gzip */
#define MEM_LEVEL   8		     /* zlib's own default */

/* All at once: the room is what zlib says it takes at most. */
static int
pack_all(z_stream *z, const struct buf *in, struct buf *out)
{
	uLong most = deflateBound(z, (uLong)buf_len(in));
	int r;

	if ((r = buf_reserve(out, most)) != E_OK)
		return r;
	z->next_in = buf_data(in);
	z->avail_in = (uInt)buf_len(in);
	z->next_out = buf_tail(out);
	z->avail_out = (uInt)most;
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		return E_FULL;
	buf_commit(out, z->total_out);
	return E_OK;
}

int
pack_gzip(const struct buf *in, struct buf *out)
{
	z_stream z = { 0 };
	int r;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL,
		Z_DEFAULT_STRATEGY) != Z_OK)
		fatal(EXIT_WITH_SYSTEM, "out of memory: zlib");
	r = pack_all(&z, in, out);
	(void)deflateEnd(&z);
	return r;
}
