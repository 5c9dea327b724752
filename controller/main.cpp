// firedrill: the controller's command line.
#include "controller/cli/cli.hpp"

int main(int argc, char** argv) { return firedrill::cli::run(argc, argv); }
