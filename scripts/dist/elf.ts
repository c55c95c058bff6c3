/** Adds a note to an executable in the ELF format of Linux, for 64 bits and little-endian: where Node looks for the program in it. */

const headerSize = 56
const page = 4096
const Load = 1
const Note = 4
const Headers = 6
const readable = 4

interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: number
  readonly size: number
  readonly memory: number
  readonly alignment: number
}

const encode = ({ address, alignment, memory, offset, size, type }: Segment): Buffer => {
  const header = Buffer.alloc(headerSize)
  header.writeUInt32LE(type, 0)
  header.writeUInt32LE(readable, 4)
  const words = [offset, address, address, size, memory, alignment]
  for (const [i, word] of words.entries()) header.writeBigUInt64LE(BigInt(word), 8 + 8 * i)
  return header
}

const padded = (data: Uint8Array): Buffer => Buffer.concat([data, Buffer.alloc(-data.length & 3)])

const noteOf = (name: string, content: Uint8Array): Buffer => {
  const text = Buffer.from(`${name}\0`)
  const sizes = Buffer.alloc(12)
  sizes.writeUInt32LE(text.length, 0)
  sizes.writeUInt32LE(content.length, 4)
  return Buffer.concat([sizes, padded(text), padded(content)])
}

const roundUp = (n: number): number => Math.ceil(n / page) * page

/**
 * Returns the executable with a note of this name, in a segment that the kernel maps. The segment follows everything else in the file
 * and in memory, and begins with the table of segments, which has no room for two more where it was.
 */
export const withNote = (executable: Buffer, name: string, content: Uint8Array): Buffer => {
  if (executable.readUInt32BE(0) !== 0x7f_45_4c_46 || executable[4] !== 2 || executable[5] !== 1) {
    throw new Error("not an executable for Linux with 64 bits")
  }
  const tableAt = Number(executable.readBigUInt64LE(32))
  const count = executable.readUInt16LE(56)
  const table = executable.subarray(tableAt, tableAt + count * headerSize)
  const loads = Array.from({ length: count }, (_, i) => table.subarray(i * headerSize))
    .filter((header) => header.readUInt32LE(0) === Load)
    .map((header) => ({
      base: Number(header.readBigUInt64LE(16) - header.readBigUInt64LE(8)),
      end: Number(header.readBigUInt64LE(16) + header.readBigUInt64LE(40))
    }))
  const [first = { base: 0 }] = loads
  const last = Math.max(...loads.map(({ end }) => end))
  // Kernels before 5.18 expect the table at the same distance from the first segment in memory as in the file.
  const offset = roundUp(Math.max(executable.length, last - first.base))
  const address = first.base + offset
  const tableSize = (count + 2) * headerSize
  const note = noteOf(name, content)
  const size = tableSize + note.length
  const moved = Buffer.from(table)
  for (let i = 0; i < count; i++) {
    const header = moved.subarray(i * headerSize, (i + 1) * headerSize)
    if (header.readUInt32LE(0) !== Headers) continue
    encode({ type: Headers, offset, address, size: tableSize, memory: tableSize, alignment: 8 }).copy(header)
  }
  const start = Buffer.from(executable.subarray(0, 64))
  start.writeBigUInt64LE(BigInt(offset), 32)
  start.writeUInt16LE(count + 2, 56)
  return Buffer.concat([
    start,
    executable.subarray(64),
    Buffer.alloc(offset - executable.length),
    moved,
    encode({ type: Load, offset, address, size, memory: size, alignment: page }),
    encode({
      type: Note,
      offset: offset + tableSize,
      address: address + tableSize,
      size: note.length,
      memory: note.length,
      alignment: 4
    }),
    note
  ])
}
