/** The common part of PUB, MPUB and DPUB: authorization, publishing, and the responses. */
import { Effect, type Scope } from "effect"
import type { Publish } from "../../../../protocol/client/Decoded.ts"
import { type ProtocolError, protocolError } from "../../../../protocol/client/ProtocolError.ts"
import * as Completion from "../../../core/Completion.ts"
import type { BrokerError } from "../../broker/BrokerError.ts"
import { partOf, Publisher } from "../../broker/Publisher.ts"
import type { StorageError } from "../../disk/StorageError.ts"
import type { Access } from "../connection/Access.ts"
import type { CommandHandler, Pending } from "../connection/CommandHandler.ts"
import { everyState } from "../connection/ConnectionState.ts"
import type { Session } from "../connection/Session.ts"

/**
 * The handler of one publishing command. `repliesOf` returns the number of OKs for a number of messages: one per
 * message for pipelined PUBs, one for a whole MPUB.
 */
export const make = (
  name: Publish["_tag"],
  access: Access,
  repliesOf: (messages: number) => number
): Effect.Effect<CommandHandler<Publish>, never, Publisher> =>
  Effect.map(Publisher, (publisher): CommandHandler<Publish> => {
    const accepted = (session: Session, { topic }: Publish, messages: number): void => {
      session.notePublished(topic, messages)
      session.outbox.ok(repliesOf(messages))
    }

    /**
     * Some pipelined PUBs may have been accepted: those get their OKs, and the next one the error. A rejection concerns its
     * message only: the connection stays open, and the PUBs behind it are published.
     */
    const refuse = (
      session: Session,
      command: Publish,
      error: BrokerError | StorageError
    ): Effect.Effect<void, ProtocolError, Scope.Scope> => {
      const { bodies } = command
      const before = name === "PUB" && error._tag === "BrokerError" ? error.accepted : 0
      if (before > 0) accepted(session, command, before)
      const reply = protocolError(`E_${name}_FAILED`, `${name} failed ${error.message}`)
      if (error._tag !== "BrokerError" || error.reason._tag !== "Rejection") return Effect.fail(reply)
      session.outbox.error(reply)
      const logged = Effect.logError(`[${session.connection.remoteAddress}] - ${reply.message}`)
      if (name !== "PUB" || before + 1 >= bodies.count) return logged
      const behind = { ...command, bodies: partOf(bodies, before + 1, bodies.count) }
      return Effect.andThen(logged, Effect.suspend(() => publish(session, behind) ?? Effect.void))
    }

    const publish = (session: Session, command: Publish): Pending => {
      const { bodies, deferMillis, topic } = command
      const rest = publisher.publish(topic, bodies, deferMillis)
      if (rest === undefined) {
        accepted(session, command, bodies.count)
        return undefined
      }
      return Effect.matchEffect(rest, {
        onSuccess: () => Effect.sync(() => accepted(session, command, bodies.count)),
        onFailure: (error) => refuse(session, command, error)
      })
    }

    return {
      permittedIn: everyState,
      describe: ({ topic }) => `${name} ${topic}`,
      execute: (session, command) => {
        const check = access.check(session, name, command.topic, "")
        return check === undefined
          ? publish(session, command)
          : Completion.andThen(check, () => publish(session, command))
      }
    }
  })
