/**
 * Deletes and requeues single messages of a channel whose topic has no log, by their ids. Messages in memory are looked for one by one, in
 * steps: nothing is kept for this.
 */
import { Effect } from "effect"
import type { MessageKey } from "../../../protocol/client/Message.ts"
import { recordHeaderSize } from "../../../protocol/client/MessageBatch.ts"
import type { Time } from "../../core/Time.ts"
import { finish, type Turns } from "../../core/Turns.ts"
import type { BackendQueue } from "../storage/BackendQueue.ts"
import type { MemoryPlaces } from "./Backlog.ts"
import { type ChannelContents, eachWaiting, hasKey, type WaitingPlace } from "./MemoryContents.ts"

/** How often a message is looked for that moves at the same moment. */
const attemptsMax = 3

/** Bytes per read of the disk queue. */
const blockBytes = 256 * 1024
/** The time for a search in the disk queue, in ms. */
const searchMillis = 5000

/** Where a message was found. */
type Found = { readonly waiting: WaitingPlace } | { readonly deferred: number }

function* find({ deferred, ...places }: MemoryPlaces, key: MessageKey): Generator<void, Found | undefined> {
  let found: Found | undefined
  if (deferred !== undefined) {
    yield* deferred.eachDeferred((frames, position, _, entry) => {
      if (hasKey(frames, position, key)) found = { deferred: entry }
    })
  }
  if (found !== undefined) return found
  yield* eachWaiting({ deferred, ...places }, (frames, position, index, span, queue) => {
    if (hasKey(frames, position, key)) found = { waiting: { queue, span, index, position } }
  })
  return found
}

/** Applies a change to the message, which is taken out of flight by `inFlight` and handled by `inMemory` otherwise. */
const change = (
  contents: ChannelContents,
  key: MessageKey,
  turns: Turns,
  inFlight: (key: MessageKey) => boolean,
  inMemory: (found: Found) => boolean
): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (inFlight(key)) return true
      const found = yield* finish(turns, find(contents.places, key))
      // In between it may have been delivered.
      if (found === undefined) return inFlight(key)
      if (inMemory(found)) return true
    }
    return false
  })

/** Finishes a message, whatever it is waiting for, also in flight; false if it is not in memory. */
export const remove = (contents: ChannelContents, key: MessageKey, turns: Turns): Effect.Effect<boolean> =>
  change(contents, key, turns, contents.finish, (found) => {
    if ("waiting" in found) return contents.dropWaiting(found.waiting)
    const batch = contents.takeDeferred(found.deferred)
    batch?.settle(0, 1)
    return batch !== undefined
  })

/** Makes a message that is in flight or deferred wait for its next delivery; false if the channel has no such message. */
export const requeue = (contents: ChannelContents, key: MessageKey, turns: Turns): Effect.Effect<boolean> =>
  change(contents, key, turns, contents.requeue, (found) => {
    if ("waiting" in found) return false
    const batch = contents.takeDeferred(found.deferred)
    if (batch !== undefined) contents.enqueue(batch)
    return batch !== undefined
  })

/** Whether the message waits in the files of a disk queue, as far as that is found within 5 s. */
export const isOnDisk = Effect.fnUntraced(
  function*(
    backend: BackendQueue,
    id: string,
    time: Time,
    turns: Turns
  ) {
    const { view } = backend
    if (view === undefined) return false
    const until = time.monotonicMillis() + searchMillis
    const reader = yield* view.open
    const needle = Buffer.from(id, "latin1")
    let place = { file: 0, offset: 0 }
    while (time.monotonicMillis() < until) {
      const run = yield* reader.read(place, view.tail, blockBytes)
      if (run === undefined) return false
      const { bytes, place: { file, offset }, starts } = run
      // A body may contain the id.
      for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) {
        if (starts.includes(at + needle.length - recordHeaderSize)) return true
      }
      place = { file, offset: offset + starts[starts.length - 1]! }
      if (turns.isOver()) yield* turns.next
    }
    return false
  },
  Effect.scoped
)
