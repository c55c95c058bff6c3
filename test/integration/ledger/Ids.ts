/**
 * The ids of messages. Each channel delivers a message with the same id, no two messages of a topic share one, and a message
 * that was published after the acknowledgement of another one has the larger id, also if the daemon was killed between them.
 */
import { Column } from "./Column.ts"

export interface IdReport {
  /** Deliveries of a known message with another id. */
  readonly changedIds: number
  /** Messages that have the id of another message of their topic. */
  readonly reusedIds: number
  /** Messages whose id is not larger than that of a message that was acknowledged before they were published. */
  readonly decreasingIds: number
}

export class Ids {
  private readonly note: (kind: string, text: string) => void
  /** Hexadecimal digits of equal length: their order as strings is their order as numbers. */
  private readonly ids: Array<string | undefined> = []
  /** For each acknowledged row, the first row that was published later. */
  private readonly firstAfter = new Column((length) => new Uint32Array(length))
  private changedIds = 0

  constructor(note: (kind: string, text: string) => void) {
    this.note = note
  }

  /** Records an acknowledgement while the ledger has `rows` rows. */
  acknowledge(row: number, rows: number): void {
    this.firstAfter.set(row, rows)
  }

  deliver(row: number, id: string): void {
    const known = this.ids[row]
    if (known === undefined) this.ids[row] = id
    else if (known !== id) {
      this.changedIds++
      this.note("id", `message ${row} had the id ${known} and has ${id}`)
    }
  }

  report(topicOf: (row: number) => number, rows: number): IdReport {
    const acknowledged = Array.from({ length: rows }, (_, row) => row).filter((row) => this.firstAfter.get(row) > 0)
    acknowledged.sort((a, b) => this.firstAfter.get(a) - this.firstAfter.get(b))
    const seen = new Map<number, Set<string>>()
    const largest: Array<string> = []
    let next = 0
    let reusedIds = 0
    let decreasingIds = 0
    for (let row = 0; row < rows; row++) {
      for (; next < acknowledged.length && this.firstAfter.get(acknowledged[next] ?? 0) <= row; next++) {
        const earlier = acknowledged[next] ?? 0
        const id = this.ids[earlier] ?? ""
        const topic = topicOf(earlier)
        if (id > (largest[topic] ?? "")) largest[topic] = id
      }
      const id = this.ids[row]
      if (id === undefined) continue
      const topic = topicOf(row)
      const others = seen.get(topic) ?? new Set()
      seen.set(topic, others)
      if (others.has(id)) {
        reusedIds++
        this.note("reused id", `message ${row} has the id ${id} of an earlier message`)
      } else if (id <= (largest[topic] ?? "")) {
        decreasingIds++
        this.note("decreasing id", `message ${row} has the id ${id}, an earlier one has ${largest[topic]}`)
      }
      others.add(id)
    }
    return { changedIds: this.changedIds, reusedIds, decreasingIds }
  }
}
