/* latest_known.h - what Redis is known to hold of what this sink wrote. Room header. */
#ifndef LATEST_KNOWN_H
#define LATEST_KNOWN_H
#include <stdbool.h>
#include <stdint.h>

#include "hash.h"
#include "latest.h"

struct known_value {
	uint64_t	 name;		/* hash of key and field, under a key of this process */
	int64_t		 event_ns, received_ns;
	int64_t		 begun_ns;	/* its key's life, monotonic */
	int64_t		 ttl_ms;
	uint64_t	 round;		/* another than the table's: free */
};

struct latest_known {		/* embedded; all zero but `round`: empty */
	struct known_value *values;
	size_t		 capacity, used;
	uint64_t	 round;		/* from 1 on */
};

void	known_close(struct latest_known *);
void	known_clear(struct latest_known *);
/* What key and field are looked up by. */
uint64_t known_name(const struct latest_id *);
/* Redis holds nothing newer than this, and the key's life need not be begun anew. */
bool	known_is_older(const struct latest_known *, uint64_t name, const struct latest_id *, int64_t ttl_ms,
	    int64_t now_ns);
/* This is held now, and its key's life began. */
void	known_begin(struct latest_known *, uint64_t name, const struct latest_id *, int64_t ttl_ms, int64_t now_ns);
/* This is held now, of a key that is known. */
void	known_note(struct latest_known *, uint64_t name, const struct latest_id *);
void	known_forget(struct latest_known *, uint64_t name);

#endif /* LATEST_KNOWN_H */
