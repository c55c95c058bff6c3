/**
 * What `/messages` does for topics that are not durable (docs/protocol/http.md#messages-of-memory-topics): pages, and changes of single
 * messages, which are named by their ids.
 */
import { Effect, Schema } from "effect"
import { MessageId, messageKey } from "../../../protocol/client/Message.ts"
import type { Time } from "../../core/Time.ts"
import type { Turns } from "../../core/Turns.ts"
import * as Arguments from "../../http/Arguments.ts"
import { fail, type HttpFailure } from "../../http/HttpResponse.ts"
import type { RequestTarget } from "../../http/RequestTarget.ts"
import * as BrowseCursor from "../broker/BrowseCursor.ts"
import type { Browsed, BrowsedPage, PageQuery } from "../broker/Browsing.ts"
import { browseMemory } from "../broker/MemoryBrowsing.ts"
import type { ChannelContents, MemoryContents } from "../broker/MemoryContents.ts"
import * as SingleMessages from "../broker/SingleMessages.ts"
import type { StorageError } from "../disk/StorageError.ts"

const isMessageId = Schema.is(MessageId)

const notFound = fail(404, "MESSAGE_NOT_FOUND")
const onDisk = fail(
  409,
  "MESSAGE_ON_DISK: nsqd cannot remove single messages from the files of a disk queue before it reads them for delivery"
)

/** Reads a page that starts from a place: `beginning`, or the `next` of the page before. */
export const page = (
  topic: string,
  contents: ReadonlyArray<MemoryContents>,
  query: PageQuery,
  from: string,
  time: Time,
  turns: Turns
): Effect.Effect<BrowsedPage<string, Browsed>, HttpFailure | StorageError> => {
  const cursor = BrowseCursor.decode(from)
  return cursor === undefined && from !== "beginning"
    ? Effect.fail(
      fail(400, `INVALID_ARG_FROM: must be beginning, or the next of a page, because topic ${topic} is not durable`)
    )
    : browseMemory(contents, query, cursor, time, turns)
}

const idIn = Effect.fnUntraced(function*(target: RequestTarget) {
  const id = (yield* Arguments.query(target)).get("id")
  if (id === undefined) return yield* fail(400, "MISSING_ARG_ID")
  return isMessageId(id) ? id : yield* fail(400, "INVALID_ARG_ID")
})

/** Finishes the message that the request names, whatever it is waiting for, also in flight. */
export const remove = Effect.fnUntraced(function*(
  contents: ChannelContents,
  target: RequestTarget,
  time: Time,
  turns: Turns
): Effect.fn.Return<void, HttpFailure | StorageError> {
  const id = yield* idIn(target)
  if (yield* SingleMessages.remove(contents, messageKey(id), turns)) return
  const { backend } = contents.places
  const isOnDisk = backend !== undefined && (yield* SingleMessages.isOnDisk(backend, id, time, turns))
  return yield* isOnDisk ? onDisk : notFound
})

/** Lets the message that the request names, which is in flight or deferred, wait for its next delivery. */
export const requeue = Effect.fnUntraced(function*(
  contents: ChannelContents,
  target: RequestTarget,
  turns: Turns
): Effect.fn.Return<void, HttpFailure> {
  const isDone = yield* SingleMessages.requeue(contents, messageKey(yield* idIn(target)), turns)
  if (!isDone) return yield* notFound
})
