/**
 * The attempts of messages on their channels. They grow with each delivery in one life of the daemon. A durable topic keeps them
 * over a kill: a message then has at least the attempts that were seen longer than the flush window before the kill.
 */
import { Column } from "./Column.ts"
import type { Lives } from "./Lives.ts"

/** Attempts that are older than this when they grow are taken as written, without regard to the kill of that life. */
const writtenMillis = 2000

/** What is wrong with the attempts of a delivery. */
export interface LowerAttempts {
  readonly least: number
  readonly duringStall: boolean
}

export class Attempts {
  private readonly lives: Lives
  private readonly durable: boolean
  private readonly seen = new Column((length) => new Uint16Array(length))
  private readonly seenAt = new Column((length) => new Float64Array(length))
  private readonly seenIn = new Column((length) => new Uint16Array(length))
  /** Attempts that a kill must not take back. */
  private readonly kept = new Column((length) => new Uint16Array(length))
  /** The same without those that a stall of the disk may have kept from being written. */
  private readonly written = new Column((length) => new Uint16Array(length))

  constructor(lives: Lives, durable: boolean) {
    this.lives = lives
    this.durable = durable
  }

  /**
   * Returns the attempts that the delivery should have at least, and whether a stall of the disk explains that they are lower;
   * `undefined` if it has them.
   */
  deliver(cell: number, life: number, attempts: number): LowerAttempts | undefined {
    const now = this.lives.now()
    const seen = this.seen.get(cell)
    const sameLife = this.seenIn.get(cell) === life
    const seenAt = this.seenAt.get(cell)
    const survives = sameLife
      ? now - seenAt > writtenMillis
      : this.lives.survives(this.seenIn.get(cell), seenAt)
    if (this.durable && survives) {
      this.kept.set(cell, Math.max(this.kept.get(cell), seen))
      const isStalled = !sameLife && this.lives.isStalled(this.seenIn.get(cell), seenAt)
      if (!isStalled) this.written.set(cell, Math.max(this.written.get(cell), seen))
    }
    const inLife = Math.max(1, sameLife ? seen + 1 : 0)
    const least = Math.max(inLife, this.kept.get(cell))
    this.seen.set(cell, attempts)
    this.seenAt.set(cell, now)
    this.seenIn.set(cell, life)
    if (attempts >= least) return undefined
    return { least, duringStall: attempts >= Math.max(inLife, this.written.get(cell)) }
  }
}
