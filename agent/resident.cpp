#include "agent/resident.hpp"

#include <cstdint>

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace firedrill::agent {
namespace {

int release(dl_phdr_info* object, std::size_t /*size*/, void* /*unused*/) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    // What may have been written, relocations included, exists nowhere else.
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t start = object->dlpi_addr + segment.p_vaddr;
    const std::uintptr_t from = (start + page - 1) / page * page;
    const std::uintptr_t to = (start + segment.p_memsz) / page * page;
    // Refused or not, nothing depends on it.
    if (from < to) ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void release_idle_pages() { ::dl_iterate_phdr(&release, nullptr); }

}  // namespace firedrill::agent
