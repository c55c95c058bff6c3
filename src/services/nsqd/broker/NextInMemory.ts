/**
 * The messages in memory that come next in the order of their ids, which is that of publishing, whatever state they are in: while pages
 * are shown, a message that goes from one state to another one keeps its place.
 *
 * There may be a million. Only the wanted number is kept, and the search runs in steps.
 */
import { frameIdOffset } from "../../../protocol/client/MessageBatch.ts"
import type { MessageState } from "../../../protocol/http/MessagesResponse.ts"
import { compareIds, idAt, type IdOrder } from "./BrowseCursor.ts"
import { eachWaiting, type MemoryContents, pastAttempts } from "./MemoryContents.ts"
import type { Subscription } from "./Subscription.ts"

/** A message in memory. */
export interface InMemory {
  readonly id: IdOrder
  readonly frames: Buffer
  readonly position: number
  readonly state: MessageState
  /** Deliveries so far. */
  readonly attempts: number
  /** In monotonic ms, if it is deferred. */
  readonly due: number | undefined
  readonly holder: Subscription | undefined
}

/** Keeps the lowest ids behind one. */
class Lowest {
  private found: Array<InMemory> = []
  private limit: IdOrder | undefined
  private readonly after: IdOrder | undefined
  private readonly most: number

  constructor(after: IdOrder | undefined, most: number) {
    this.after = after
    this.most = most
  }

  add(
    frames: Buffer,
    position: number,
    state: MessageState,
    attempts: number,
    due: number | undefined,
    holder: Subscription | undefined
  ): void {
    const id = idAt(frames, position + frameIdOffset)
    if (this.after !== undefined && compareIds(id, this.after) <= 0) return
    if (this.limit !== undefined && compareIds(id, this.limit) > 0) return
    this.found.push({ id, frames, position, state, attempts, due, holder })
    if (this.found.length >= 2 * this.most) this.cut()
  }

  /** Sorts, and drops what is beyond the limit. Of several messages with one id, which is one that has moved, the last stays. */
  private cut(): void {
    this.found.sort((one, other) => compareIds(one.id, other.id))
    const { found } = this
    this.found = found.filter(({ id }, i) => i + 1 === found.length || compareIds(id, found[i + 1]!.id) !== 0)
    if (this.found.length <= this.most) return
    this.found.length = this.most
    this.limit = this.found[this.most - 1]!.id
  }

  /** The messages in order, and whether there are no others. */
  get result(): { readonly messages: ReadonlyArray<InMemory>; readonly isComplete: boolean } {
    this.cut()
    return { messages: this.found, isComplete: this.limit === undefined }
  }
}

/** Finds the first `most` messages behind `after`, or all, in steps. `states` are those that are wanted; default: all. */
export function* nextInMemory(
  contents: ReadonlyArray<MemoryContents>,
  states: ReadonlySet<MessageState> | undefined,
  after: IdOrder | undefined,
  most: number
): Generator<void, Lowest["result"]> {
  const lowest = new Lowest(after, most)
  const wants = (state: MessageState): boolean => states === undefined || states.has(state)
  for (const { eachInFlight, places } of contents) {
    // In the order in which messages move, so that one that does is found at least once.
    if (wants("deferred") && places.deferred !== undefined) {
      yield* places.deferred.eachDeferred((frames, position, due) =>
        lowest.add(frames, position, "deferred", pastAttempts(frames, position), due, undefined)
      )
    }
    if (wants("waiting")) {
      yield* eachWaiting(
        places,
        (frames, position) =>
          lowest.add(frames, position, "waiting", pastAttempts(frames, position), undefined, undefined)
      )
    }
    if (wants("in_flight")) {
      yield* eachInFlight(({ frames }, position, attempts, holder) =>
        lowest.add(frames, position, "in_flight", attempts, undefined, holder)
      )
    }
  }
  return lowest.result
}
