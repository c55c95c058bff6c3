/**
 * A low-level client over a real socket: sends commands and collects frames. It does nothing by itself except respond to heartbeats.
 */
import { Effect, Queue, type Scope } from "effect"
import * as Net from "node:net"
import { type Command, encodeCommand, magicV2 } from "../../src/protocol/client/Command.ts"
import { FrameDecoder, FrameError, FrameType } from "../../src/protocol/client/Frame.ts"
import { decodeMessage, type Message } from "../../src/protocol/client/Message.ts"
import { TopicName } from "../../src/protocol/client/Names.ts"
import type { Daemon } from "./daemon.ts"

export interface Client {
  readonly socket: Net.Socket
  readonly send: (...commands: ReadonlyArray<Command>) => Effect.Effect<void>
  /** Responses and errors as strings; `closed` once the connection has ended. */
  readonly answer: Effect.Effect<string>
  readonly message: Effect.Effect<Message>
  /** Sends a command and waits for its response. */
  readonly ask: (command: Command) => Effect.Effect<string>
}

/** Connects to the daemon's TCP port. */
export const open = (daemon: Daemon): Effect.Effect<Net.Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect({ host: "127.0.0.1", port: daemon.tcpPort, noDelay: true })
      socket.on("error", () => {})
      socket.once("connect", () => resume(Effect.succeed(socket)))
      socket.once("close", () => resume(Effect.die(new Error("cannot connect to nsqd"))))
    }),
    (socket) => Effect.sync(() => void socket.destroy())
  )

export const connect = Effect.fnUntraced(function*(daemon: Daemon): Effect.fn.Return<Client, never, Scope.Scope> {
  const socket = yield* open(daemon)
  const answers = yield* Queue.unbounded<string>()
  const messages = yield* Queue.unbounded<Message>()
  const decoder = new FrameDecoder()
  socket.on("data", (chunk) => {
    decoder.feed(chunk)
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      if (frame instanceof FrameError) throw frame
      const message = frame.type === FrameType.message ? decodeMessage(frame.data) : undefined
      const text = Buffer.from(frame.data).toString("latin1")
      if (message !== undefined) Queue.offerUnsafe(messages, message)
      else if (text === "_heartbeat_") socket.write("NOP\n")
      else Queue.offerUnsafe(answers, text)
    }
  })
  socket.once("close", () => Queue.offerUnsafe(answers, "closed"))
  socket.write(magicV2)
  const send = (...commands: ReadonlyArray<Command>) =>
    Effect.sync(() => void socket.write(Buffer.concat(commands.map(encodeCommand))))
  return {
    socket,
    send,
    answer: Queue.take(answers),
    message: Queue.take(messages),
    ask: (command) => Effect.andThen(send(command), Queue.take(answers))
  }
})

export const topic = TopicName.make("test")

export const body = (text: string | number): Uint8Array => Buffer.from(String(text))

export const text = (message: Message): string => Buffer.from(message.body).toString()

/** Subscribes to a channel of the topic `test` and finishes each message, until `done` returns true. */
export const consumeUntil = Effect.fnUntraced(function*(
  client: Client,
  channel: Command & { readonly _tag: "SUB" },
  ready: number,
  done: (text: string) => boolean
) {
  yield* client.ask(channel)
  yield* client.send({ _tag: "RDY", count: ready })
  while (true) {
    const message = yield* client.message
    yield* client.send({ _tag: "FIN", id: message.id })
    if (done(text(message))) return
  }
})
