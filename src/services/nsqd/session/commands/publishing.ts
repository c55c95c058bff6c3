/** The common part of PUB, MPUB and DPUB: authorization, the topic, and the responses. */
import { Effect } from "effect"
import type { Publish } from "../../../../protocol/client/Decoded.ts"
import { protocolError } from "../../../../protocol/client/ProtocolError.ts"
import * as Completion from "../../../core/Completion.ts"
import { Broker } from "../../broker/Broker.ts"
import type { PublishError } from "../../broker/BrokerError.ts"
import { Publisher } from "../../broker/Publisher.ts"
import type { Topic } from "../../broker/Topic.ts"
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
): Effect.Effect<CommandHandler<Publish>, never, Broker | Publisher> =>
  Effect.map(Effect.all([Broker, Publisher]), ([broker, publisher]): CommandHandler<Publish> => {
    const accepted = (session: Session, { topic }: Publish, messages: number): void => {
      session.notePublished(topic, messages)
      session.outbox.ok(repliesOf(messages))
    }
    const failed = (reason: string) => Effect.fail(protocolError(`E_${name}_FAILED`, `${name} failed ${reason}`))

    const publishTo = (session: Session, topic: Topic, command: Publish): Pending => {
      const rest = publisher.publish(topic, command.bodies, command.deferMillis)
      if (rest === undefined) {
        accepted(session, command, command.bodies.count)
        return undefined
      }
      return Effect.matchEffect(rest, {
        onSuccess: () => Effect.sync(() => accepted(session, command, command.bodies.count)),
        onFailure: (error: PublishError) => {
          // Some pipelined PUBs may have been accepted: those get their OKs, and the next one the error.
          if (name === "PUB" && error.accepted > 0) accepted(session, command, error.accepted)
          return failed(error.reason)
        }
      })
    }

    const publish = (session: Session, command: Publish): Pending => {
      const topic = broker.findTopic(command.topic)
      if (topic !== undefined) return publishTo(session, topic, command)
      return Effect.matchEffect(broker.topic(command.topic), {
        onSuccess: (created) => Completion.toEffect(publishTo(session, created, command)),
        onFailure: ({ message }) => failed(message)
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
