// Messages by MPI. `wamimc --mpi` compiles this with the site's mpicc, whose MPI it then is.
#include "wamim_messages.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

static int32_t start(int32_t *rank, int32_t *count) {
  int provided = 0, own = 0, all = 0;
  int code = MPI_Init_thread(0, 0, MPI_THREAD_SERIALIZED, &provided);
  if (code != MPI_SUCCESS) return code;
  // Without threads an MPI takes calls of the thread that started it only.
  if (provided < MPI_THREAD_SERIALIZED) return MPI_ERR_OTHER;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if ((code = MPI_Comm_rank(MPI_COMM_WORLD, &own)) != MPI_SUCCESS) return code;
  if ((code = MPI_Comm_size(MPI_COMM_WORLD, &all)) != MPI_SUCCESS) return code;
  *rank = own;
  *count = all;
  return 0;
}

static int32_t began(int code, MPI_Request *made, void **request) {
  if (code == MPI_SUCCESS) {
    *request = made;
    return 0;
  }
  free(made);
  return code;
}

static int32_t send(const void *bytes, int32_t count, int32_t peer, int32_t tag, void **request) {
  MPI_Request *made = malloc(sizeof *made);
  if (!made) return MPI_ERR_NO_MEM;
  return began(MPI_Isend(bytes, count, MPI_BYTE, peer, tag, MPI_COMM_WORLD, made), made, request);
}

static int32_t receive(void *bytes, int32_t count, int32_t peer, int32_t tag, void **request) {
  MPI_Request *made = malloc(sizeof *made);
  if (!made) return MPI_ERR_NO_MEM;
  return began(MPI_Irecv(bytes, count, MPI_BYTE, peer, tag, MPI_COMM_WORLD, made), made, request);
}

static int32_t is_done(void *request, int32_t *done) {
  int flag = 0;
  int code = MPI_Test(request, &flag, MPI_STATUS_IGNORE);
  *done = flag;
  if (flag || code != MPI_SUCCESS) free(request);
  return code == MPI_SUCCESS ? 0 : code;
}

static void cancel(void *request) {
  MPI_Cancel(request);
  MPI_Request_free(request);
  free(request);
}

static void end(void) { MPI_Finalize(); }

static void describe(int32_t code, char *text, int32_t size) {
  char message[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  if (MPI_Error_string(code, message, &length) != MPI_SUCCESS) message[0] = 0;
  strncpy(text, message, size - 1);
  text[size - 1] = 0;
}

const wamim_messages wamim_site_messages = {start, send, receive, is_done, cancel, end, describe};
