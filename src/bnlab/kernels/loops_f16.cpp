// The loops over elements of type Float16, for every instruction set.
#define BNLAB_ELEMENT Float16

#include "bnlab/kernels/loops_of_targets-inl.h"
