/* llhttp_machine.c - the generated part of llhttp, from where the system keeps its source. */
#include <llhttp.c>
