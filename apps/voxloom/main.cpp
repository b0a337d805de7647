#include "cli.h"

int main(int argc, char** argv) {
  return voxloom::app::run_program(argc, argv);
}
