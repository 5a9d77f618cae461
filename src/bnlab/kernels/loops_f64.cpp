// The loops over elements of type double, for every instruction set.
#define BNLAB_ELEMENT double

#include "bnlab/kernels/loops_of_targets-inl.h"
