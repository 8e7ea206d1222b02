/* llhttp_api.c - the handwritten part of llhttp, from where the system keeps its source. */
#include <api.c>
#include <http.c>
