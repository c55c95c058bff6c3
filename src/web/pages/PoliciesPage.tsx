import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { Exit } from "effect"
import { type FormEvent, useId, useState } from "react"
import type { PoliciesResponse } from "../../protocol/http/admin/AdminStorage.ts"
import { Actions } from "../components/Actions.tsx"
import { Badge } from "../components/Badge.tsx"
import { Notice, NotYet, Raw } from "../components/Notice.tsx"
import { promptly, PromptResponse } from "../components/PromptResponse.tsx"
import { Table } from "../components/Table.tsx"
import { usePolicies } from "../core/act.ts"
import { AdminClient, messageOf } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as Policies from "../core/policies.ts"
import { settings } from "../core/settings.ts"
import { liveAtom } from "../live/live.ts"

/** The result of a change on each nsqd. */
type Results = ReadonlyArray<{ readonly node: string; readonly error: string }>

const ResultList = ({ match, results }: { readonly match: string; readonly results: Results }) => {
  const failed = results.filter(({ error }) => error !== "")
  return (
    <Notice kind={failed.length === 0 ? "success" : "warning"}>
      The policy {match} is in force on {Format.quantity(results.length - failed.length, "node")}.
      {failed.length > 0 && (
        <ul className="plain">
          {failed.map(({ error, node }) => <li key={node}>{node}: {error}</li>)}
        </ul>
      )}
    </Notice>
  )
}

const Field = ({ field: { help, kind, name }, onChange, problem, value }: {
  readonly field: { readonly name: string; readonly help: string; readonly kind: Policies.FormField["kind"] }
  readonly value: string
  readonly onChange: (value: string) => void
  readonly problem: string | undefined
}) => {
  const rule = useId()
  const props = {
    value,
    "aria-describedby": rule,
    "aria-invalid": problem !== undefined,
    onChange: ({ target }: { readonly target: { readonly value: string } }) => onChange(target.value)
  }
  return (
    <div className="field">
      <label>
        <code>{name}</code>
        {typeof kind === "string"
          ? (
            <input
              {...props}
              inputMode={kind === "number" ? "decimal" : "text"}
              autoComplete="off"
              spellCheck={false}
            />
          )
          : (
            <select {...props}>
              <option value="">not set</option>
              {kind.map((one) => <option key={one}>{one}</option>)}
            </select>
          )}
      </label>
      <span id={rule} className={problem === undefined ? "rule" : "rule broken"}>{problem ?? help}</span>
    </div>
  )
}

const matchField = {
  name: "match",
  kind: "text",
  help: "Pattern of topics, or of topics/channels: orders.*, orders.*/billing"
} as const

const Form = ({ initial, onDone }: { readonly initial: Policies.Values; readonly onDone: () => void }) => {
  const [values, setValues] = useState(initial)
  const [error, setError] = useState("")
  const [results, setResults] = useState<Results>()
  const [busy, setBusy] = useState(false)
  const { set } = usePolicies()
  const problem = Policies.problemOf(error)
  const isAtField = problem !== undefined &&
    [matchField, ...Policies.formFields].some(({ name }) => name === problem.field)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    setError("")
    setResults(undefined)
    void set({ payload: Policies.policyOf(values) }).then((exit) => {
      setBusy(false)
      if (Exit.isFailure(exit)) return setError(messageOf(exit.cause))
      setResults(exit.value.nodes)
      onDone()
    })
  }
  const shown = (field: typeof matchField | Policies.FormField) => (
    <Field
      key={field.name}
      field={field}
      value={values[field.name] ?? ""}
      onChange={(value) => setValues((before) => ({ ...before, [field.name]: value }))}
      problem={problem?.field === field.name ? problem.why : undefined}
    />
  )
  return (
    <form onSubmit={submit} aria-label="Policy">
      <div className="policy-form">{shown(matchField)}</div>
      {Policies.formGroups.map(({ fields, title }) => (
        <fieldset key={title} className="policy-form">
          <legend>{title}</legend>
          {fields.map(shown)}
        </fieldset>
      ))}
      <div className="buttons">
        <button type="submit" className="primary" aria-disabled={busy}>Save policy on all nodes</button>
      </div>
      {error !== "" && !isAtField && (
        <Notice kind="error">{problem === undefined ? error : `${problem.field}: ${problem.why}`}</Notice>
      )}
      {results !== undefined && <ResultList match={values["match"] ?? ""} results={results} />}
    </form>
  )
}

type OnNodes = PoliciesResponse["nodes"]

/** Names the nsqds whose policies are not known, because they have not replied yet or have failed; nothing without any. */
const Unknown = ({ isFinal, nodes }: { readonly nodes: OnNodes; readonly isFinal: boolean }) => {
  const { daemons } = useAtomValue(liveAtom)
  const failed = nodes.filter(({ error, policies }) => policies === null && error !== "")
  const gone = daemons.flatMap(({ address, kind, reachable }) =>
    kind === "nsqd" && !(reachable && isFinal) && nodes.every(({ node }) => node !== address) ? [address] : []
  )
  const away = [...failed.map(({ node }) => node), ...gone]
  if (!isFinal) return <NotYet nodes={away} what="policies" />
  return away.length === 0 ? null : (
    <Notice kind="warning">
      The policies of {away.join(", ")}{" "}
      are not known and cannot be changed at the moment: the page is about the other nsqds.{" "}
      {failed.length > 0 && <Raw text={failed.map(({ error, node }) => `${node}: ${error}`).join("\n")} />}
    </Notice>
  )
}

const isOfApi = ({ policy: { source } }: Policies.PolicyRow): boolean => source === "api"

/** The page of the policies of all nsqds. */
export const PoliciesPage = () => {
  const query = AdminClient.query("policies", "list", { query: { timeout: promptly } })
  const refresh = useAtomRefresh(query)
  const { remove } = usePolicies()
  const [edited, setEdited] = useState<{ readonly values: Policies.Values; readonly count: number }>()
  const edit = (values: Policies.Values) => setEdited((before) => ({ values, count: (before?.count ?? 0) + 1 }))
  return (
    <>
      <h1>Policies</h1>
      <PromptResponse prompt={query} all={AdminClient.query("policies", "list", { query: {} })}>
        {({ message, nodes }, isFinal) => (
          <>
            <Unknown nodes={nodes} isFinal={isFinal} />
            <Table<Policies.PolicyRow>
              caption="Policies of all nsqds"
              empty={message !== ""
                ? "No nsqd that responds has a policy."
                : `No nsqd has a policy.${settings.isAdmin ? " Add one with the form below." : ""}`}
              rows={Policies.rowsOf(nodes).map((row) => [JSON.stringify(row.policy), row])}
              columns={[
                { name: "Pattern", cell: ({ policy }) => policy.match },
                {
                  name: "Fields",
                  wide: true,
                  cell: ({ policy }) => (
                    <span className="badges">
                      {Policies.fieldsOf(policy).map(([name, value]) => (
                        <Badge key={name}>{name}: {Policies.valueText(value)}</Badge>
                      ))}
                    </span>
                  )
                },
                { name: "Set by", cell: ({ policy }) => policy.source === "api" ? "API" : "options of nsqd" },
                {
                  name: "nsqds",
                  wide: true,
                  cell: ({ nodes: having, others }) =>
                    others.length === 0
                      ? `all (${having.length})`
                      : (
                        <>
                          <Badge kind="warning">differs</Badge> {having.join(", ")}; not on {others.join(", ")}
                        </>
                      )
                },
                settings.isAdmin
                  ? {
                    name: "Actions",
                    wide: true,
                    cell: (row) =>
                      isOfApi(row)
                        ? (
                          <Actions
                            compact
                            label={row.policy.match}
                            actions={[
                              {
                                key: "edit",
                                label: "Edit",
                                run: () => {
                                  edit(Policies.valuesOf(row.policy))
                                  return Promise.resolve(Exit.succeed({ message: "" }))
                                },
                                done: `The form below has the policy ${row.policy.match}.`
                              },
                              {
                                key: "delete",
                                label: "Delete",
                                question: `Delete policy ${row.policy.match} on all nodes?`,
                                detail: "What it sets is no longer in force at once.",
                                danger: true,
                                run: () => remove({ query: { match: row.policy.match } }),
                                done: `The policy ${row.policy.match} has been deleted.`,
                                after: refresh
                              }
                            ]}
                          />
                        )
                        : <span className="muted">see nsqd's options</span>
                  }
                  : undefined
              ]}
            />
            {nodes.filter(({ error, policies }) => policies === null && error === "").map(({ node }) => (
              <p key={node} className="muted">{node}: NSQ's nsqd has no policies.</p>
            ))}
          </>
        )}
      </PromptResponse>
      {settings.isAdmin && (
        <section className="section">
          <h2>{edited === undefined ? "Add a policy" : "Edit or add a policy"}</h2>
          <Form key={edited?.count ?? 0} initial={edited?.values ?? {}} onDone={refresh} />
        </section>
      )}
    </>
  )
}
