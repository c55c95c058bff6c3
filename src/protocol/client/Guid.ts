/**
 * Message ids (docs/protocol/client.md#message-ids): 63 bits of time in units of 2^20 ns, node and sequence, written as 16
 * hex characters. A block of ids is three numbers, so that a batch of messages takes one call, and ids are written to
 * frames without creating strings.
 */

/** NSQ's epoch in units of 2^20 ns. */
const epochUnits = 1_288_834_974_288
const sequencesPerUnit = 4096

/**
 * `count` consecutive ids of one node, starting at sequence `sequence` (0..4095) of time unit `unit`.
 *
 * @since 0.1.0
 * @category models
 */
export interface GuidBlock {
  readonly unit: number
  readonly sequence: number
  readonly node: number
}

/**
 * Generates the ids of one topic: unique and increasing regardless of the clock. If the sequence numbers run out or the clock
 * steps back, NSQ waits for the next time unit; this generator continues with numbers of the following unit at once.
 *
 * @since 0.1.0
 * @category models
 */
export class GuidGenerator {
  private unit = 0
  private sequence = 0
  private readonly node: number

  constructor(node: number) {
    this.node = node
  }

  /** Continues behind an id of an earlier process, whatever the clock says. */
  continueAfter({ sequence, unit }: Pick<GuidBlock, "unit" | "sequence">): void {
    if (unit < this.unit || (unit === this.unit && sequence < this.sequence)) return
    this.unit = unit + Math.floor((sequence + 1) / sequencesPerUnit)
    this.sequence = (sequence + 1) % sequencesPerUnit
  }

  /** Takes `count` ids; `nanos` is the wall-clock time in ns since the Unix epoch. */
  take(nanos: bigint, count: number): GuidBlock {
    const now = Number(nanos >> 20n) - epochUnits
    if (now > this.unit) {
      this.unit = now
      this.sequence = 0
    }
    const block = { unit: this.unit, sequence: this.sequence, node: this.node }
    const next = this.sequence + count
    this.unit += Math.floor(next / sequencesPerUnit)
    this.sequence = next % sequencesPerUnit
    return block
  }
}

const hex = Buffer.from("0123456789abcdef")

const writeHex32 = (out: Uint8Array, position: number, value: number): void => {
  out[position] = hex[value >>> 28]!
  out[position + 1] = hex[(value >>> 24) & 15]!
  out[position + 2] = hex[(value >>> 20) & 15]!
  out[position + 3] = hex[(value >>> 16) & 15]!
  out[position + 4] = hex[(value >>> 12) & 15]!
  out[position + 5] = hex[(value >>> 8) & 15]!
  out[position + 6] = hex[(value >>> 4) & 15]!
  out[position + 7] = hex[value & 15]!
}

/**
 * Writes the 16 characters of the id with index `index` in a block.
 *
 * @since 0.1.0
 * @category codecs
 */
export const writeGuid = (out: Uint8Array, position: number, block: GuidBlock, index: number): void => {
  const sequence = block.sequence + index
  const unit = block.unit + Math.floor(sequence / sequencesPerUnit)
  // 42 bits of unit above 10 bits of node above 12 bits of sequence: 32 of the unit's bits are in the upper half.
  writeHex32(out, position, Math.floor(unit / 1024))
  writeHex32(out, position + 8, ((unit % 1024) << 22) | (block.node << 12) | (sequence % sequencesPerUnit))
}

/** The last three characters of an id, which are its sequence. */
const sequenceCharacters = Int32Array.from(
  { length: sequencesPerUnit },
  (_, sequence) => hex[sequence >>> 8]! << 16 | hex[(sequence >>> 4) & 15]! << 8 | hex[sequence & 15]!
)

/** The first id of a time unit, while a `GuidWriter` starts it. */
const firstOfUnit = Buffer.alloc(16)

/**
 * Writes the ids of a block one after the other. Neighbours have the same characters except for the last three, so that this is
 * several times as fast as `writeGuid` for each.
 *
 * @since 0.2.0
 * @category codecs
 */
export class GuidWriter {
  private readonly node: number
  private unit: number
  private sequence: number
  private a = 0
  private b = 0
  private c = 0
  private d = 0

  constructor({ node, sequence, unit }: GuidBlock) {
    this.node = node
    this.unit = unit + Math.floor(sequence / sequencesPerUnit)
    this.sequence = sequence % sequencesPerUnit
    this.startUnit()
  }

  private startUnit(): void {
    writeGuid(firstOfUnit, 0, { node: this.node, unit: this.unit, sequence: 0 }, 0)
    this.a = firstOfUnit.readInt32BE(0)
    this.b = firstOfUnit.readInt32BE(4)
    this.c = firstOfUnit.readInt32BE(8)
    this.d = firstOfUnit[12]! << 24
  }

  /** Writes the 16 characters of the next id. */
  write(out: DataView, position: number): void {
    out.setInt32(position, this.a)
    out.setInt32(position + 4, this.b)
    out.setInt32(position + 8, this.c)
    out.setInt32(position + 12, this.d | sequenceCharacters[this.sequence]!)
    if (++this.sequence < sequencesPerUnit) return
    this.sequence = 0
    this.unit++
    this.startUnit()
  }
}

/**
 * Returns the id with index `index` in a block, as time unit and sequence.
 *
 * @since 0.2.0
 * @category operations
 */
export const guidAt = (block: GuidBlock, index: number): Pick<GuidBlock, "unit" | "sequence"> => {
  const sequence = block.sequence + index
  return { unit: block.unit + Math.floor(sequence / sequencesPerUnit), sequence: sequence % sequencesPerUnit }
}

/**
 * Reads the id at `position` of a frame or record; undefined if it has not the form of an id.
 *
 * @since 0.2.0
 * @category codecs
 */
export const readGuid = (bytes: Buffer, position: number): Pick<GuidBlock, "unit" | "sequence"> | undefined => {
  const text = bytes.toString("latin1", position, position + 16)
  if (!/^[0-9a-f]{16}$/.test(text)) return undefined
  const low = Number.parseInt(text.slice(8), 16)
  return { unit: Number.parseInt(text.slice(0, 8), 16) * 1024 + (low >>> 22), sequence: low & 4095 }
}
