// The loops over elements of type BFloat16, for every instruction set.
#define BNLAB_ELEMENT BFloat16

#include "bnlab/kernels/loops_of_targets-inl.h"
