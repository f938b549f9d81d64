#ifndef AMX_EMULATOR_H
#define AMX_EMULATOR_H

#include <stdbool.h>

/// Makes this process carry out AMX's instructions on bf16 numbers itself, where the processor refuses them as unknown.
///
/// Each thread has registers of its own, as on a processor. Anything that AMX would refuse ends the process with a line that says what:
/// a register that is not configured, rows that are too long, an instruction of AMX that is not emulated.
///
/// Returns whether instructions are emulated: on x86-64 Linux.
bool amx_emulator_install(void);

#endif
