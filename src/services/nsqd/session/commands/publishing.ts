/** The common part of PUB, MPUB, DPUB and HPUB: authorization, publishing, and the responses. */
import { Effect } from "effect"
import type { Publish } from "../../../../protocol/client/Decoded.ts"
import { framesSize } from "../../../../protocol/client/MessageBatch.ts"
import { type ProtocolError, protocolError } from "../../../../protocol/client/ProtocolError.ts"
import * as Completion from "../../../core/Completion.ts"
import { Broker } from "../../broker/Broker.ts"
import { type BrokerError, isRefusal } from "../../broker/BrokerError.ts"
import { partOf, Publisher } from "../../broker/Publisher.ts"
import type { StorageError } from "../../disk/StorageError.ts"
import type { Access } from "../connection/Access.ts"
import type { CommandHandler } from "../connection/CommandHandler.ts"
import { everyState } from "../connection/ConnectionState.ts"
import { hostOf, type Session } from "../connection/Session.ts"

/**
 * The handler of one publishing command. `repliesOf` returns the number of OKs for a number of messages: one per
 * message for pipelined PUBs, one for a whole MPUB.
 */
export const make = (
  name: Publish["_tag"],
  access: Access,
  repliesOf: (messages: number) => number
): Effect.Effect<CommandHandler<Publish>, never, Broker | Publisher> =>
  Effect.map(Effect.all([Publisher, Broker]), ([publisher, { clientRates }]): CommandHandler<Publish> => {
    /** Passes bodies to the Publisher, as far as the client may publish. */
    const pass = (session: Session, { bodies, deferMillis, topic }: Publish) =>
      clientRates.isOn
        ? clientRates.publish(
          publisher.publish,
          hostOf(session.connection.remoteAddress),
          topic,
          bodies,
          deferMillis
        )
        : publisher.publish(topic, bodies, deferMillis)

    const accepted = (session: Session, { topic }: Publish, messages: number): void => {
      session.notePublished(topic, messages)
      session.outbox.ok(repliesOf(messages))
    }

    /** Completes a publish. Adds what responds to it to `responses`; fails with the error that ends the connection. */
    const store = (
      session: Session,
      command: Publish,
      rest: Effect.Effect<void, BrokerError | StorageError>,
      responses: Array<() => void>
    ): Effect.Effect<void, ProtocolError> =>
      Effect.matchEffect(rest, {
        onSuccess: () => Effect.sync(() => void responses.push(() => accepted(session, command, command.bodies.count))),
        onFailure: (error) => refuse(session, command, error, responses)
      })

    /**
     * Some pipelined PUBs may have been accepted: those get their OKs, and the next one the error. A rejection concerns its
     * message only: the connection stays open, and the PUBs behind it are published.
     */
    const refuse = (
      session: Session,
      command: Publish,
      error: BrokerError | StorageError,
      responses: Array<() => void>
    ): Effect.Effect<void, ProtocolError> => {
      const { bodies } = command
      const before = name === "PUB" && error._tag === "BrokerError" ? error.accepted : 0
      if (before > 0) responses.push(() => accepted(session, command, before))
      const reply = protocolError(`E_${name}_FAILED`, `${name} failed ${error.message}`)
      if (error._tag !== "BrokerError" || !isRefusal(error)) return Effect.fail(reply)
      responses.push(() => session.outbox.error(reply))
      // Publishes beyond a limit may be very many; the statistics count them.
      const logged = error.reason._tag === "Rejection"
        ? Effect.logError(`[${session.connection.remoteAddress}] - ${reply.message}`)
        : Effect.void
      if (name !== "PUB" || before + 1 >= bodies.count) return logged
      const behind = { ...command, bodies: partOf(bodies, before + 1, bodies.count) }
      const publishBehind = Effect.suspend(() => pass(session, behind) ?? Effect.void)
      return Effect.andThen(logged, store(session, behind, publishBehind, responses))
    }

    const publish = (session: Session, command: Publish): undefined => {
      const { bodies } = command
      const rest = pass(session, command)
      if (rest === undefined && session.publishes.isIdle) {
        accepted(session, command, bodies.count)
        return
      }
      if (rest !== undefined) session.activity.deferred()
      const responses: Array<() => void> = []
      // Later publishes would overtake one that still has to find its place, for example behind the creation of its topic.
      const isExclusive = rest !== undefined && !Completion.isInOrder(rest)
      const size = isExclusive ? Infinity : framesSize(bodies)
      session.publishes.add(size, store(session, command, rest ?? Effect.void, responses), () => {
        for (const respond of responses) respond()
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
