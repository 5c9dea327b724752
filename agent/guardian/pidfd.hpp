// <sys/pidfd.h> of glibc 2.36 lacks its own extern "C".
#pragma once

extern "C" {
#include <sys/pidfd.h>
}
