// What a trainer asks of the site's MPI: messages between neighbours, and nothing that computes.
#ifndef WAMIM_MESSAGES_H
#define WAMIM_MESSAGES_H

#include <stdint.h>

/// The functions that `mpi.c` gives a trainer; one thread at a time calls them.
///
/// Those that return a code return 0 where all went well, and otherwise what `describe` explains.
typedef struct {
  /// Starts MPI, and says which of how many ranks this process is.
  int32_t (*start)(int32_t *rank, int32_t *count);
  /// Begins to send bytes, which have to stay as they are until `is_done`.
  int32_t (*send)(const void *bytes, int32_t count, int32_t peer, int32_t tag, void **request);
  /// Begins to receive as many bytes as are sent.
  int32_t (*receive)(void *bytes, int32_t count, int32_t peer, int32_t tag, void **request);
  /// Whether what `request` stands for has been done, which ends the request.
  int32_t (*is_done)(void *request, int32_t *done);
  /// Ends a request to receive what nobody will send.
  void (*cancel)(void *request);
  /// Ends MPI, all of whose requests have ended.
  void (*end)(void);
  /// Writes what a code means, of at most `size` bytes with the zero behind it.
  void (*describe)(int32_t code, char *text, int32_t size);
} wamim_messages;

/// The functions of the MPI that the executable was linked with, or null where there are none.
const wamim_messages *wamim_linked_messages(void);

#endif
