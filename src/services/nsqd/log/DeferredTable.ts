/**
 * The deferred messages of a durable channel, by due time: a binary heap of sequences. The messages themselves are in the log.
 *
 * Hot path: 18 bytes per message in typed arrays, so that millions of messages can wait for days.
 */

const initialSlots = 16
/** Less than two, so that five million messages do not take the memory of eight. */
const growth = 1.5

export class DeferredTable {
  private length = 0
  private dues = new Float64Array(0)
  private sequences = new Float64Array(0)
  private attempts = new Uint16Array(0)

  get count(): number {
    return this.length
  }

  /** The earliest due time; `Infinity` if the table is empty. */
  get earliest(): number {
    return this.length === 0 ? Infinity : this.dues[0]!
  }

  push(sequence: number, due: number, attempts: number): void {
    if (this.length === this.dues.length) this.resize(Math.max(initialSlots, Math.ceil(this.length * growth)))
    let at = this.length++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.isAfter(parent, sequence, due)) break
      this.move(parent, at)
      at = parent
    }
    this.put(at, sequence, due, attempts)
  }

  /** Removes the earliest message and returns its sequence. Requires `count` > 0. */
  pop(): number {
    const top = this.sequences[0]!
    const last = --this.length
    const sequence = this.sequences[last]!
    const due = this.dues[last]!
    const attempts = this.attempts[last]!
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= last) break
      if (child + 1 < last && this.isAfter(child, this.sequences[child + 1]!, this.dues[child + 1]!)) child++
      if (this.isAfter(child, sequence, due)) break
      this.move(child, at)
      at = child
    }
    if (last > 0) this.put(at, sequence, due, attempts)
    if (last * 4 < this.dues.length && this.dues.length > initialSlots) this.resize(Math.max(initialSlots, last * 2))
    return top
  }

  /** The attempts of the earliest message. */
  get earliestAttempts(): number {
    return this.attempts[0] ?? 0
  }

  /** Removes the messages for which `isGone` holds; takes time in proportion to the table. */
  removeWhere(isGone: (sequence: number) => boolean): void {
    const { attempts, dues, length, sequences } = this
    this.clear()
    for (let at = 0; at < length; at++) {
      if (!isGone(sequences[at]!)) this.push(sequences[at]!, dues[at]!, attempts[at]!)
    }
  }

  clear(): void {
    this.length = 0
    this.resize(0)
  }

  /** Calls `entry` for every message, in no particular order. */
  forEach(entry: (sequence: number, due: number, attempts: number) => void): void {
    for (let at = 0; at < this.length; at++) entry(this.sequences[at]!, this.dues[at]!, this.attempts[at]!)
  }

  /** Whether the message at `at` leaves after the given one. Equal due times leave in the order of publishing. */
  private isAfter(at: number, sequence: number, due: number): boolean {
    const other = this.dues[at]!
    return other > due || (other === due && this.sequences[at]! > sequence)
  }

  private move(from: number, to: number): void {
    this.put(to, this.sequences[from]!, this.dues[from]!, this.attempts[from]!)
  }

  private put(at: number, sequence: number, due: number, attempts: number): void {
    this.sequences[at] = sequence
    this.dues[at] = due
    this.attempts[at] = attempts
  }

  private resize(slots: number): void {
    const kept = Math.min(this.length, slots)
    const dues = new Float64Array(slots)
    dues.set(this.dues.subarray(0, kept))
    this.dues = dues
    const sequences = new Float64Array(slots)
    sequences.set(this.sequences.subarray(0, kept))
    this.sequences = sequences
    const attempts = new Uint16Array(slots)
    attempts.set(this.attempts.subarray(0, kept))
    this.attempts = attempts
  }
}
