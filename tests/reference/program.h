/* Program text evaluated by the reference: elaborated statement by statement into one unit, never compiled.
 */
#ifndef GMX_TESTS_REFERENCE_PROGRAM_H
#define GMX_TESTS_REFERENCE_PROGRAM_H

#include "tests/reference/reference.h"

typedef struct RefProgram RefProgram;

/* `interactive`: text may be added piece by piece, as in the REPL. */
RefProgram *ref_program_open(bool interactive, int64_t budget);
void ref_program_close(RefProgram *p);
/* False: the front end refused it, see ref_program_errors.  Nothing is computed yet. */
bool ref_program_add(RefProgram *p, const char *text);
const char *ref_program_errors(RefProgram *p);
const char *ref_program_error_code(const RefProgram *p); /* of the first, "E0203"; "" for none */
/* The value of a global; NULL: see ref_program_state. */
RefTensor *ref_program_value(RefProgram *p, const char *name);
const Reference *ref_program_state(const RefProgram *p);
/* Ends the unit and verifies its IR; a description of what is wrong, or NULL.  Nothing can be added then. */
const char *ref_program_verify(RefProgram *p);

#endif
