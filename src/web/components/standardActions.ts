import type { useActions } from "../core/act.ts"
import * as Format from "../core/format.ts"
import { settings } from "../core/settings.ts"
import type { Action } from "./Actions.tsx"

interface Subject {
  readonly depth: number
  /** The channels of a topic. */
  readonly channels?: ReadonlyArray<{ readonly depth: number }>
  readonly paused: boolean
  readonly nodes: ReadonlyArray<unknown> | null
}

/**
 * Returns the actions on a topic or a channel: empty, delete, pause or unpause. `refresh` runs after a change, `leave` after
 * the deletion, to go to a page that still exists.
 */
export const standardActions = (
  kind: "topic" | "channel",
  name: string,
  subject: Subject,
  { act, remove }: ReturnType<typeof useActions>,
  refresh: () => void,
  leave: () => void
): ReadonlyArray<Action> => {
  const { channels = [], depth, nodes, paused } = subject
  const isNowhere = nodes === null || nodes.length === 0
  const where = isNowhere
    ? `on ${Format.quantity(settings.nsqlookupd.length, "nsqlookupd")}`
    : `on ${Format.quantity(nodes.length, "node")}`
  const lost = isNowhere ? `No nsqd has this ${kind}.` : `${Format.quantity(depth, "waiting message")} will be lost.`
  const all = channels.reduce((sum, { depth }) => sum + depth, depth)
  const verb = paused ? "Unpause" : "Pause"
  return [
    {
      key: "empty",
      label: `Empty ${kind}`,
      question: `Empty ${kind} ${name} ${where}?`,
      detail: channels.length === 0 ? lost : `${lost} Messages in its channels are kept.`,
      danger: true,
      run: () => act("empty"),
      done: `The ${kind} has been emptied.`,
      after: refresh
    },
    {
      key: "delete",
      label: `Delete ${kind}`,
      question: `Delete ${kind} ${name} ${where}?`,
      detail: channels.length === 0
        ? lost
        : `Its ${Format.quantity(channels.length, "channel")} and ${
          Format.quantity(all, "waiting message")
        } will be lost.`,
      danger: true,
      run: remove,
      done: `The ${kind} has been deleted.`,
      after: leave
    },
    {
      key: "pause",
      label: `${verb} ${kind}`,
      question: `${verb} ${kind} ${name} ${where}?`,
      detail: paused ? "Delivery will resume." : `Messages will wait until the ${kind} is unpaused.`,
      run: () => act(paused ? "unpause" : "pause"),
      done: `The ${kind} has been ${paused ? "unpaused" : "paused"}.`,
      after: refresh
    }
  ]
}
