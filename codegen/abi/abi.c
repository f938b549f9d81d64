// A target of C headers alone still needs one translation unit.
#include "wamim_program.h"
