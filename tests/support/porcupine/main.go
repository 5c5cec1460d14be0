// Judges whether a history of a store is linearizable: JSON lines of operations in, exit status out.
//
// The store holds entries, each with the revision that wrote it, and takes the next revision with every change. An
// operation whose outcome nobody knows may have happened at any time since, or never; then nobody knows its
// revision either, until somebody reads it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

// timeout bounds the search for an order that explains the history.
const timeout = 30 * time.Second

// unknown stands for a revision that nobody has read yet.
const unknown = -1

// An entry as it was read, or as it is held; without a value, one to be removed.
type entry struct {
	Value    *string `json:"value"`
	Revision int64   `json:"revision"`
}

// A step of a history: who called what when, and what came back.
type operation struct {
	Client int   `json:"client"`
	Start  int64 `json:"start"`
	End    int64 `json:"end"`
	// Keys that were read; none for a write.
	Read []string `json:"read"`
	// Entries to write, by key, and the revisions that were expected.
	Write  map[string]entry `json:"write"`
	Checks map[string]int64 `json:"checks"`

	// How it ended: "done", "mismatch" or "unknown".
	Outcome string `json:"outcome"`
	// The revision that was answered, 0 for none.
	Revision int64 `json:"revision"`
	// What was read, by key; of a mismatch, what was found at one key.
	Found map[string]entry `json:"found"`
}

// store is what is held at one point of the order, and the newest revision known by then.
type store struct {
	entries map[string]entry
	newest  int64
}

func main() {
	history, err := read()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	result := porcupine.CheckOperationsTimeout(model.ToModel(), history, timeout)
	fmt.Println(result)
	if result != porcupine.Ok {
		os.Exit(1)
	}
}

func read() ([]porcupine.Operation, error) {
	var history []porcupine.Operation
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var step operation
		if err := json.Unmarshal(lines.Bytes(), &step); err != nil {
			return nil, err
		}
		if step.Outcome == "unknown" {
			step.End = math.MaxInt64
		}
		history = append(history, porcupine.Operation{
			ClientId: step.Client, Input: step, Call: step.Start, Output: step, Return: step.End,
		})
	}
	return history, lines.Err()
}

var model = porcupine.NondeterministicModel{
	Init: func() []any { return []any{store{entries: map[string]entry{}}} },
	Step: func(state, input, _ any) []any {
		before, step := state.(store), input.(operation)
		if step.Read != nil {
			return before.afterRead(step)
		}
		return before.afterWrite(step)
	},
	Equal: func(left, right any) bool {
		one, other := left.(store), right.(store)
		return one.newest == other.newest && maps.EqualFunc(one.entries, other.entries, same)
	},
}

func same(one, other entry) bool {
	return one.Revision == other.Revision && *one.Value == *other.Value
}

// afterRead is the store once entries were read from it: the same, but for revisions learned.
func (before store) afterRead(step operation) []any {
	after := store{entries: maps.Clone(before.entries), newest: max(before.newest, step.Revision)}
	if step.Revision != 0 && step.Revision < before.newest {
		return nil
	}
	for _, key := range step.Read {
		held, isHeld := before.entries[key]
		found, isFound := step.Found[key]
		if isHeld != isFound {
			return nil
		}
		if isFound && !(*held.Value == *found.Value && after.learn(key, found.Revision)) {
			return nil
		}
	}
	return []any{after}
}

// afterWrite is the store once entries were, or were not, written to it.
func (before store) afterWrite(step operation) []any {
	switch step.Outcome {
	case "mismatch":
		after := store{entries: maps.Clone(before.entries), newest: before.newest}
		for key, found := range step.Found {
			if found.Revision == step.Checks[key] || !after.learn(key, found.Revision) {
				return nil
			}
		}
		return []any{after}
	case "unknown":
		return append(before.written(step, unknown), before)
	default:
		if len(step.Write) > 0 && step.Revision <= before.newest {
			return nil
		}
		return before.written(step, step.Revision)
	}
}

// written is the store with everything written at one revision, if the checks held; else there is none.
func (before store) written(step operation, revision int64) []any {
	after := store{entries: maps.Clone(before.entries), newest: max(before.newest, revision)}
	for key, expected := range step.Checks {
		if !after.learn(key, expected) {
			return nil
		}
	}
	for key, wanted := range step.Write {
		if wanted.Value == nil {
			delete(after.entries, key)
		} else {
			after.entries[key] = entry{Value: wanted.Value, Revision: revision}
		}
	}
	return []any{after}
}

// learn is whether the entry at key may have a revision, 0 for no entry; from then on it has.
func (held store) learn(key string, revision int64) bool {
	found, isHeld := held.entries[key]
	if !isHeld {
		return revision == 0
	}
	if found.Revision == unknown && revision != 0 {
		held.entries[key] = entry{Value: found.Value, Revision: revision}
		return true
	}
	return found.Revision == revision
}
