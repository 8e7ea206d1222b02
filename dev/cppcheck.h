/* cppcheck.h - the macros of system headers that cppcheck, which reads none, must know to parse. */
#ifndef CPPCHECK_H
#define CPPCHECK_H

#define LIST_HEAD(name, type)  struct name { struct type *lh_first; }
#define LIST_ENTRY(type)       struct { struct type *le_next, **le_prev; }
#define LIST_FOREACH(v, h, f)  for ((v) = (h)->lh_first; (v); (v) = (v)->f.le_next)
#define TAILQ_HEAD(name, type) struct name { struct type *tqh_first, **tqh_last; }
#define TAILQ_ENTRY(type)      struct { struct type *tqe_next, **tqe_prev; }
#define TAILQ_FOREACH(v, h, f) for ((v) = (h)->tqh_first; (v); (v) = (v)->f.tqe_next)
#define STAILQ_HEAD(name, type) struct name { struct type *stqh_first, **stqh_last; }
#define STAILQ_ENTRY(type)      struct { struct type *stqe_next; }
#define STAILQ_FOREACH(v, h, f) for ((v) = (h)->stqh_first; (v); (v) = (v)->f.stqe_next)
#define HASH_ITER(hh, head, v, next) for ((v) = (head), (next) = (v); (v); (v) = (next))

#endif /* CPPCHECK_H */
