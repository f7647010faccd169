// Protogen writes the Go code of the .proto files, as `make generate` does:
//
//	go run -C scripts/tools ./protogen ../.. schemas/event/event.proto
//
// It compiles in Go (protocompile) and generates with the protoc-gen-go of this module, so that
// neither protoc nor buf has to be installed, and go.mod pins both.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const module = "github.com/anabranch/anabranch"

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: protogen ROOT FILE.proto…")
		os.Exit(2)
	}
	if err := generate(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

// generate writes the code of the files, which are named from the root, below the root.
func generate(root string, files []string) error {
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{root}},
		SourceInfoMode: protocompile.SourceInfoStandard, // comments become Go's
	}
	compiled, err := compiler.Compile(context.Background(), files...)
	if err != nil {
		return fmt.Errorf("compile: %w", err)
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: files, Parameter: proto.String("module=" + module)}
	for _, f := range compiled {
		d := protodesc.ToFileDescriptorProto(f)
		d.SourceCodeInfo = sourceInfo(f)
		request.ProtoFile = append(request.ProtoFile, d)
	}
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	for _, f := range plugin.Files {
		internal_gengo.GenerateFile(plugin, f)
	}
	return write(root, plugin.Response())
}

// sourceInfo returns the comments of a compiled file, which ToFileDescriptorProto leaves out.
func sourceInfo(f any) *descriptorpb.SourceCodeInfo {
	if r, ok := f.(interface {
		FileDescriptorProto() *descriptorpb.FileDescriptorProto
	}); ok {
		return r.FileDescriptorProto().GetSourceCodeInfo()
	}
	return nil
}

func write(root string, response *pluginpb.CodeGeneratorResponse) error {
	if response.Error != nil {
		return fmt.Errorf("generate: %s", response.GetError())
	}
	for _, f := range response.File {
		path := filepath.Join(root, filepath.FromSlash(f.GetName()))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
