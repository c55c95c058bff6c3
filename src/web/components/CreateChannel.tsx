import { type FormEvent, useId, useState } from "react"
import { isChannelName } from "../../protocol/client/Names.ts"
import { useCreate } from "../core/act.ts"
import { settings } from "../core/settings.ts"
import { useRun } from "./Actions.tsx"
import { NameField } from "./NameField.tsx"
import { NameRule } from "./NameRule.tsx"
import { Section } from "./Section.tsx"

const Form = ({ onCreated, topic }: { readonly topic: string; readonly onCreated: () => void }) => {
  const [channel, setChannel] = useState("")
  const create = useCreate()
  const { busy, run } = useRun()
  const rule = useId()
  const isWrong = channel !== "" && !isChannelName(channel)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (channel === "" || isWrong) return
    run({
      key: "create",
      label: "Create channel",
      run: () => create({ payload: { topic, channel } }),
      done: `Channel ${channel} has been created.`,
      after: onCreated
    })
  }
  return (
    <form onSubmit={submit}>
      <div className="fields">
        <NameField label="Channel name" value={channel} onChange={setChannel} rule={rule} isWrong={isWrong} />
        <button type="submit" className="primary" disabled={channel === "" || isWrong} aria-disabled={busy}>
          Create channel
        </button>
      </div>
      <NameRule id={rule} isBroken={isWrong} />
    </form>
  )
}

/** A form that creates a channel on each nsqd that has the topic. */
export const CreateChannel = ({ onCreated, topic }: { readonly topic: string; readonly onCreated: () => void }) =>
  settings.isAdmin
    ? (
      <Section summary="Create a channel">
        <Form topic={topic} onCreated={onCreated} />
      </Section>
    )
    : null
