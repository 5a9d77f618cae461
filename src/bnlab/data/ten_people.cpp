#include "bnlab/data/ten_people.h"

namespace bnlab {

CsvTable ten_people() {
  return {{"height", "weight", "age"}, 10, {152, 48, 23,  //
                                            171, 70, 31,  //
                                            165, 58, 27,  //
                                            149, 45, 62,  //
                                            178, 83, 45,  //
                                            160, 61, 38,  //
                                            156, 52, 19,  //
                                            169, 74, 54,  //
                                            147, 43, 12,  //
                                            164, 66, 71}};
}

}  // namespace bnlab
