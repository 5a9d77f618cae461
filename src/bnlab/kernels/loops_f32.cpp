// The loops over elements of type float, for every instruction set.
#define BNLAB_ELEMENT float

#include "bnlab/kernels/loops_of_targets-inl.h"
