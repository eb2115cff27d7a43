/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hosted sparse file with its descriptor inside, compressed or not; and the
 * same file as the extent of a disk that believes its capacity. */
#include "fuzz-disk.h"
#include "image-writer.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (MemDir) dir = mem_dir_new ();
  const GByteArray *image;
  guint64 sectors;

  mem_dir_set (dir, "whole", data, size);
  fuzz_read_chain (dir, "whole");
  fuzz_write (dir, "whole");
  if (size < 512)
    return 0;
  image = mem_dir_get (dir, "whole");
  sectors = image_get64 (image, 12);
  fuzz_add_disk (dir, "SPARSE", sectors, data, size);
  fuzz_read_chain (dir, "disk");
  fuzz_write (dir, "disk");
  return 0;
}
