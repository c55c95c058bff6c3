import { Exit } from "effect"
import { type FormEvent, useState } from "react"
import { Notice } from "../components/Notice.tsx"
import { Section } from "../components/Section.tsx"
import { usePublish } from "../core/act.ts"
import { messageOf } from "../core/api.ts"
import { settings } from "../core/settings.ts"

type Outcome = { readonly kind: "success" | "error"; readonly text: string }

/** A form that publishes a test message to a topic. Renders nothing unless the user is an administrator. */
export const PublishForm = ({ nodes, onPublished, topic }: {
  readonly topic: string
  readonly nodes: ReadonlyArray<string>
  readonly onPublished: () => void
}) => {
  const publish = usePublish()
  const [body, setBody] = useState("")
  const [encoding, setEncoding] = useState<"text" | "base64">("text")
  const [node, setNode] = useState("")
  const [outcome, setOutcome] = useState<Outcome>()
  if (!settings.isAdmin) return null
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const payload = { body, encoding, ...(node === "" ? {} : { node }) }
    void publish({ params: { topic }, payload }).then((exit) => {
      if (Exit.isFailure(exit)) return setOutcome({ kind: "error", text: messageOf(exit.cause) })
      const { message } = exit.value
      setOutcome({ kind: "success", text: message === "" ? "The message has been published." : message })
      onPublished()
    })
  }
  return (
    <Section summary="Publish a test message">
      <form onSubmit={submit}>
        <label>
          Body
          <textarea rows={4} value={body} onChange={({ target }) => setBody(target.value)} spellCheck={false} />
        </label>
        <div className="fields">
          <label>
            Encoding{" "}
            <select
              value={encoding}
              onChange={({ target }) => setEncoding(target.value === "base64" ? "base64" : "text")}
            >
              <option value="text">text</option>
              <option value="base64">base64</option>
            </select>
          </label>
          <label>
            Node{" "}
            <select value={node} onChange={({ target }) => setNode(target.value)}>
              <option value="">any node</option>
              {nodes.map((node) => <option key={node}>{node}</option>)}
            </select>
          </label>
          <button type="submit" className="primary" disabled={body === ""}>Publish message</button>
        </div>
      </form>
      {outcome !== undefined && <Notice kind={outcome.kind}>{outcome.text}</Notice>}
    </Section>
  )
}
