// Signals that ask a run to end.
#define _GNU_SOURCE
#include "platform.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// What a person or a batch system sends to end a process; a second one, later, means it.
static const int requests[] = {SIGINT, SIGTERM};
// What batch systems send some time before they end a process, again and again or once; SIGHUP where a terminal goes.
static const int warnings[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGXCPU};

enum { NANOSECONDS = 1000000000 };

static atomic_int interruption = 0;
// When the first request arrived, in nanoseconds, or 0.
static atomic_llong first_request = 0;

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long long)time.tv_sec * NANOSECONDS + time.tv_nsec + 1;
}

static void note_warning(int signal) {
  int none = 0;
  atomic_compare_exchange_strong(&interruption, &none, signal);
}

static void note_request(int number) {
  long long time = now(), first = 0;
  note_warning(number);
  if (atomic_compare_exchange_strong(&first_request, &first, time)) return;
  // GNU timeout sends each signal twice, to the process and to its group.
  if (time - first < NANOSECONDS) return;
  signal(number, SIG_DFL);
  // It arrives once this function has returned.
  kill(getpid(), number);
}

static void catch(int number, void (*handler)(int), sigset_t *caught) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(number, &action, 0);
  sigaddset(caught, number);
}

void wamim_catch_interruptions(void) {
  sigset_t caught;
  sigemptyset(&caught);
  for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) catch(requests[i], note_request, &caught);
  for (size_t i = 0; i < sizeof warnings / sizeof *warnings; i++) {
    struct sigaction former;
    // What starts the process may have it ignore them, as nohup does.
    if (sigaction(warnings[i], 0, &former) == 0 && former.sa_handler == SIG_IGN) continue;
    catch(warnings[i], note_warning, &caught);
  }
  // A process inherits which signals are blocked, and one that a thread pool has started would never see these.
  pthread_sigmask(SIG_UNBLOCK, &caught, 0);
}

void wamim_note_interruption(int32_t signal) { note_warning(signal); }

int32_t wamim_interruption(void) { return interruption; }
