/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A directory of files, the chain of the file "a" in it. Input: for each file
 * its name, one byte, its length, three bytes little-endian, its bytes.
 */
#include "base/byte-reader.h"
#include "fuzz-disk.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (MemDir) dir = mem_dir_new ();
  ByteReader r;

  byte_reader_init (&r, data, size);
  while (byte_reader_left (&r) >= 4) {
    char name[2] = { (char)byte_reader_u8 (&r), '\0' };
    gsize len = byte_reader_le16 (&r);
    const guint8 *bytes;

    len |= (gsize)byte_reader_u8 (&r) << 16;
    len = MIN (len, byte_reader_left (&r));
    bytes = byte_reader_take (&r, len);
    mem_dir_set (dir, name, bytes, len);
  }
  fuzz_read_chain (dir, "a");
  fuzz_write (dir, "a");
  return 0;
}
