/* err.h - error and exit codes, made from errors.def and exits.def. */
#ifndef ERR_H
#define ERR_H

#define MUST_CHECK	 __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN	 __attribute__((noreturn))

/* Functions that can fail return E_OK or one of these, which are negative. */
enum err {
	E_OK = 0,
#define ERROR(NAME, number, status, again, type, text, action) E_##NAME = -(number),
#include "tables/errors.def"
};

enum exit_code {
#define EXIT(NAME, code, restart, help) EXIT_WITH_##NAME = (code),
#include "tables/exits.def"
};

/* All of these are total: an unknown code answers like INTERNAL_SERVICE_ERROR. Static strings. */
const char	*err_name(int code);	/* "SYMBOL_NOT_FOUND"; "OK" for E_OK */
const char	*err_text(int code);
const char	*err_type(int code);
const char	*err_action(int code);
int		 err_status(int code);	/* HTTP status; 0 for codes that stay inside */
int		 err_is_final(int code); /* asking again cannot help */

const char	*exit_name(int code);
int		 exit_is_fatal(int code); /* the master must not restart what ended so */

#endif /* ERR_H */
