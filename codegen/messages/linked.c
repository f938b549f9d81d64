#include "wamim_messages.h"

// Defined by mpi.c, in executables that are linked with it.
extern const wamim_messages wamim_site_messages __attribute__((weak));

const wamim_messages *wamim_linked_messages(void) { return &wamim_site_messages; }
