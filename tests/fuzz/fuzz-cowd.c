/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A COWD extent, of the capacity that its header has. */
#include "fuzz-disk.h"
#include "image-writer.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (MemDir) dir = mem_dir_new ();
  guint64 sectors = 1;

  mem_dir_set (dir, "data", data, size);
  if (size >= 16)
    sectors = image_get32 (mem_dir_get (dir, "data"), 12);
  fuzz_add_disk (dir, "VMFSSPARSE", sectors, data, size);
  fuzz_read_chain (dir, "disk");
  fuzz_write (dir, "disk");
  return 0;
}
