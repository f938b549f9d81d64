// A small model, written by hand in the form that the compiler emits: predicts each hidden patch of an image as one learned patch.
//
// Images are [4, 3, 16, 16] in patches of 4 x 4, of which the 12 with the largest noise are hidden. The state `patch` [3, 4, 4] is
// learned with AdamW; the loss is the mean squared error over hidden patches.
#ifndef WAMIM_FAKE_PROGRAM_H
#define WAMIM_FAKE_PROGRAM_H

#include "wamim_program.h"

/// The program; every member may be copied and changed by a test.
extern const wamim_program wamim_fake_program;

/// How the program describes itself: the bytes of its manifest.
extern const char wamim_fake_manifest[];

/// A small classifier, written by hand likewise: tells which colour is the strongest.
///
/// Images are [4, 3, 8, 8]; the logit of class c is the state `scale` [3] at c times the mean of channel c. Steps descend the gradient of
/// the cross-entropy with `labels` [4, 3].
extern const wamim_program wamim_fake_classifier;

#endif
