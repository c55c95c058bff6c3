/**
 * The response of `GET /sub`: server-sent events, one for each message, with comments as heartbeats in between. The next messages are
 * encoded when the client has read the ones before.
 */
import { Effect } from "effect"
import { isUtf8 } from "node:buffer"
import type { ServerResponse } from "node:http"
import { frameHeaderSize } from "../../../protocol/client/Frame.ts"
import { readHeaders } from "../../../protocol/client/Headers.ts"
import { decodeMessage } from "../../../protocol/client/Message.ts"
import {
  frameBodyStart,
  frameHeaders,
  frameIdOffset,
  messageFrameHeaderSize
} from "../../../protocol/client/MessageBatch.ts"
import { Turns } from "../../core/Turns.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import { closed, drained } from "../../http/StreamedResponse.ts"
import type { Subscription } from "../broker/Subscription.ts"
import type { HttpConsumer } from "./HttpConsumer.ts"

/** The headers of the response. */
export const headers = ["Content-Type", "text/event-stream", "X-Accel-Buffering", "no"]

/** The settings of one response. */
export interface SubStream {
  /** The id that acknowledgements name. */
  readonly id: string
  readonly consumer: HttpConsumer
  readonly subscription: Subscription
  readonly readyCount: number
  /** In ms. */
  readonly msgTimeout: number
  /** Interval of comments without messages, in ms. A client that reads nothing for two of them is disconnected. */
  readonly heartbeat: number
}

/** The number of characters that are collected before they are written. */
const chunkLength = 64 * 1024

const heartbeatComment = ": heartbeat\n\n"

/** The settings of a subscription as JSON. */
export const settingsOf = ({ heartbeat, id, msgTimeout, readyCount }: SubStream): string =>
  JSON.stringify({ subscription: id, rdy: readyCount, msg_timeout: msgTimeout, heartbeat })

const first = (stream: SubStream): string => `event: subscribed\ndata: ${settingsOf(stream)}\n\n`

/** A message as JSON. The timestamp is a number, which JSON permits to be larger than JavaScript's exact integers. */
export const messageOf = (frame: Buffer): string => {
  const message = decodeMessage(frame.subarray(frameHeaderSize))
  if (message === undefined) throw new Error("invariant: the channel delivers whole messages")
  const { attempts, id, timestamp } = message
  const body = frame.subarray(frameBodyStart(frame, 0))
  const headers = frameHeaders(frame, 0)
  const withHeaders = headers.length === 0 ? "" : `,"headers":${HttpResponse.encodeJson(readHeaders(headers))}`
  const content = isUtf8(body)
    ? `"body":${HttpResponse.encodeJson(body.toString("utf8"))}`
    : `"body_base64":"${body.toString("base64")}"`
  return `{"id":"${id}","timestamp":${timestamp},"attempts":${attempts}${withHeaders},${content}}`
}

const eventOf = (frame: Buffer): string =>
  `id: ${frame.toString("latin1", frameIdOffset, messageFrameHeaderSize)}\nevent: message\ndata: ${
    messageOf(frame)
  }\n\n`

/** Completes with whether the client has read the output in time. */
const isTaken = (outgoing: ServerResponse, { heartbeat }: SubStream): Effect.Effect<boolean> =>
  Effect.map(Effect.timeoutOption(drained(outgoing), 2 * heartbeat), ({ _tag }) => _tag === "Some")

const sendWaiting = Effect.fnUntraced(function*(stream: SubStream, turns: Turns, outgoing: ServerResponse) {
  const { consumer } = stream
  let chunk = ""
  for (const frame of consumer.take()) {
    chunk += eventOf(frame)
    if (chunk.length < chunkLength) continue
    outgoing.write(chunk)
    chunk = ""
    if (!(yield* isTaken(outgoing, stream))) return false
    if (turns.isOver()) yield* turns.next
  }
  if (chunk !== "") outgoing.write(chunk)
  if (!(yield* isTaken(outgoing, stream))) return false
  consumer.sent()
  return true
})

const run = Effect.fnUntraced(function*(stream: SubStream, outgoing: ServerResponse) {
  const { consumer, heartbeat, readyCount, subscription } = stream
  const turns = yield* Turns
  outgoing.write(first(stream))
  subscription.setReady(readyCount)
  while (!consumer.isClosed) {
    const work = yield* Effect.timeoutOption(consumer.work, heartbeat)
    if (work._tag === "None") outgoing.write(heartbeatComment)
    if (yield* sendWaiting(stream, turns, outgoing)) continue
    const { remoteAddress } = consumer.stats()
    yield* Effect.logWarning(`HTTP: closing consumer(${remoteAddress}): it has read nothing for ${2 * heartbeat}ms`)
    return void outgoing.destroy()
  }
  outgoing.end()
})

/** Sends the response until the client disconnects, the channel is closed, or the client does not read. */
export const send = (stream: SubStream, outgoing: ServerResponse): Effect.Effect<void> =>
  Effect.raceFirst(run(stream, outgoing), closed(outgoing)).pipe(
    Effect.catchDefect((defect) => Effect.logError("HTTP: sending messages failed", defect)),
    Effect.ensuring(Effect.sync(() => {
      if (!outgoing.writableEnded) outgoing.destroy()
    }))
  )
