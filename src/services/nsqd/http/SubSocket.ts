/**
 * `GET /sub` as a WebSocket (docs/protocol/http.md#websocket): JSON texts both ways, the messages of a channel to the client, and its
 * acknowledgements to nsqd. The next messages are encoded when the client has read the ones before, and its commands are read when it
 * has read their errors.
 */
import { Effect, Result, Schema } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { MessageId, messageKey } from "../../../protocol/client/Message.ts"
import { Turns } from "../../core/Turns.ts"
import { encodeJson } from "../../http/HttpResponse.ts"
import { closed, drained } from "../../http/StreamedResponse.ts"
import * as Frames from "../../http/WebSocketFrames.ts"
import { accept } from "../../http/WebSocketHandshake.ts"
import type { AcknowledgementResult } from "../broker/Subscription.ts"
import { messageOf, settingsOf, type SubStream } from "./SubStream.ts"

/** The largest command of a client, in bytes. */
const maxCommandBytes = 4096
/** The number of bytes that are collected before they are written. */
const chunkBytes = 64 * 1024

/** The limits of commands. */
export interface CommandLimits {
  readonly maxRdyCount: number
  /** In ms. */
  readonly maxDelay: number
}

const Command = Schema.fromJsonString(Schema.Struct({
  command: Schema.Literals(["finish", "requeue", "reject", "touch", "ready"]),
  id: Schema.optionalKey(Schema.Unknown),
  defer: Schema.optionalKey(Schema.Unknown),
  reason: Schema.optionalKey(Schema.Unknown),
  rdy: Schema.optionalKey(Schema.Unknown)
}))
const decodeCommand = Schema.decodeUnknownResult(Command)
const isMessageId = Schema.is(MessageId)

const isWhole = (value: unknown, max: number): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max

const codes = {
  "done": undefined,
  "not owner": "MESSAGE_NOT_OWNED",
  "not in flight": "MESSAGE_NOT_IN_FLIGHT"
} as const satisfies Record<AcknowledgementResult, string | undefined>

/** Executes a command; returns the event of its error. */
export const execute = (
  { subscription }: Pick<SubStream, "subscription">,
  { maxDelay, maxRdyCount }: CommandLimits,
  text: string
): string | undefined => {
  const decoded = decodeCommand(text)
  const failed = (error: string, about: object = {}): string => encodeJson({ event: "error", error, ...about })
  if (Result.isFailure(decoded)) return failed("INVALID_REQUEST")
  const { command, defer = 0, id, rdy, reason = "rejected" } = decoded.success
  if (command === "ready") {
    if (!isWhole(rdy, maxRdyCount)) return failed("INVALID_ARG_RDY", { command })
    subscription.setReady(rdy)
    return undefined
  }
  if (!isMessageId(id)) return failed("INVALID_ARG_ID", { command })
  const key = messageKey(id)
  if (command === "requeue" && !isWhole(defer, maxDelay)) return failed("INVALID_DEFER", { command, id })
  if (command === "reject" && typeof reason !== "string") return failed("INVALID_ARG_REASON", { command, id })
  const error = codes[
    command === "finish"
      ? subscription.finish(key)
      : command === "touch"
      ? subscription.touch(key)
      : command === "reject"
      ? subscription.reject(key, String(reason))
      : subscription.requeue(key, Number(defer))
  ]
  return error === undefined ? undefined : failed(error, { command, id })
}

/** Whether the client has sent anything since the last ping. */
interface Hearing {
  isHeard: boolean
}

/** Ends the connection. A client that does not close its side cannot keep it. */
const end = (socket: Socket, code: number): void => {
  if (!socket.writableEnded) socket.end(Frames.close(code))
  socket.destroySoon()
}

/** Reads the client's frames, and never completes. A defect of a command would end the daemon in Node's callback: it ends the Effect. */
const listen = (
  stream: SubStream,
  limits: CommandLimits,
  socket: Socket,
  hearing: Hearing
): Effect.Effect<never> =>
  Effect.callback((resume) => {
    const decoder = new Frames.FrameDecoder(maxCommandBytes)
    const take = (bytes: Buffer): void => {
      hearing.isHeard = true
      for (const received of decoder.push(bytes)) {
        if (received._tag === "Close") return end(socket, received.code)
        if (received._tag === "Ping") socket.write(Frames.pong(received.payload))
        if (received._tag !== "Text") continue
        const error = execute(stream, limits, received.text)
        if (error !== undefined) socket.write(Frames.text(error))
      }
      if (socket.writableNeedDrain && !socket.isPaused()) socket.pause().once("drain", () => socket.resume())
    }
    const onData = (bytes: Buffer): void => {
      try {
        take(bytes)
      } catch (defect) {
        resume(Effect.die(defect))
      }
    }
    socket.on("data", onData).resume()
    return Effect.sync(() => void socket.off("data", onData))
  })

/** Completes with whether the client has read the output in time. */
const isTaken = (socket: Socket, { heartbeat }: SubStream): Effect.Effect<boolean> =>
  Effect.map(Effect.timeoutOption(drained(socket), 2 * heartbeat), ({ _tag }) => _tag === "Some")

const sendWaiting = Effect.fnUntraced(function*(stream: SubStream, turns: Turns, socket: Socket) {
  const { consumer } = stream
  let chunk: Array<Buffer> = []
  let bytes = 0
  for (const frame of consumer.take()) {
    const encoded = Frames.text(`{"event":"message",${messageOf(frame).slice(1)}`)
    chunk.push(encoded)
    bytes += encoded.length
    if (bytes < chunkBytes) continue
    socket.write(Buffer.concat(chunk))
    chunk = []
    bytes = 0
    if (!(yield* isTaken(socket, stream))) return false
    if (turns.isOver()) yield* turns.next
  }
  if (bytes > 0) socket.write(Buffer.concat(chunk))
  if (!(yield* isTaken(socket, stream))) return false
  consumer.sent()
  return true
})

const run = Effect.fnUntraced(function*(stream: SubStream, socket: Socket, hearing: Hearing) {
  const { consumer, heartbeat, readyCount, subscription } = stream
  const turns = yield* Turns
  socket.write(Frames.text(`{"event":"subscribed",${settingsOf(stream).slice(1)}`))
  subscription.setReady(readyCount)
  while (!consumer.isClosed) {
    const work = yield* Effect.timeoutOption(consumer.work, heartbeat)
    const isSilent = work._tag === "None" && !hearing.isHeard
    if (work._tag === "None") {
      hearing.isHeard = false
      socket.write(Frames.ping)
    }
    if (!isSilent && (yield* sendWaiting(stream, turns, socket))) continue
    const what = isSilent ? "has not responded to a ping" : `has read nothing for ${2 * heartbeat}ms`
    yield* Effect.logWarning(`HTTP: closing consumer(${consumer.stats().remoteAddress}): it ${what}`)
    return void socket.destroy()
  }
  end(socket, Frames.closeCodes.goingAway)
})

/** Accepts the upgrade, and sends messages until the client disconnects, the channel is closed, or the client is silent. */
export const send = (
  stream: SubStream,
  limits: CommandLimits,
  incoming: IncomingMessage,
  outgoing: ServerResponse
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const socket = accept(incoming)
    const hearing: Hearing = { isHeard: true }
    return Effect.raceAllFirst([
      run(stream, socket, hearing),
      listen(stream, limits, socket, hearing),
      closed(outgoing)
    ]).pipe(
      Effect.catchDefect((defect) => Effect.logError("HTTP: a WebSocket failed", defect)),
      Effect.ensuring(Effect.sync(() => {
        if (!socket.writableEnded) socket.destroy()
      }))
    )
  })
