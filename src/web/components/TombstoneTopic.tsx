import { useTombstone } from "../core/act.ts"
import * as Stakes from "../core/stakes.ts"
import { Actions } from "./Actions.tsx"
import { StakeList } from "./StakeList.tsx"

/** A button that tombstones a topic on one nsqd. The dialog lists what is at stake. */
export const TombstoneTopic = ({ compact = false, label, node, refresh, stakes, topic }: {
  readonly topic: string
  readonly node: string
  readonly stakes: ReadonlyArray<Stakes.Stake>
  /** The name of the group of buttons. */
  readonly label: string
  readonly compact?: boolean
  readonly refresh: () => void
}) => {
  const tombstone = useTombstone()
  return (
    <Actions
      compact={compact}
      label={label}
      actions={[{
        key: "tombstone",
        label: "Tombstone topic",
        question: `Tombstone topic ${topic} on ${node}?`,
        detail: (
          <>
            <p>Consumers will no longer discover the topic on this node, and it will be deleted there.</p>
            <StakeList name={`Topic ${topic}`} stakes={stakes} />
          </>
        ),
        danger: true,
        ...(Stakes.countOf(stakes) > Stakes.manyMessages ? { typed: topic } : {}),
        run: () => tombstone({ params: { node }, payload: { topic } }),
        done: `Topic ${topic} has been tombstoned on ${node}.`,
        after: refresh
      }]}
    />
  )
}
