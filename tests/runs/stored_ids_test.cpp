// The stored form and the id of runs, from the spec as a person or an experiment writes it.
//
// These forms and ids may never change: stored runs are found by them. If a test here fails, a default was changed, or
// a new key or option is written although it is at its default. New kinds are added at the end of the list.
#include <gtest/gtest.h>

#include "bnlab/runs/completion.h"

namespace bnlab {
namespace {

struct StoredSpec {
  const char* written;
  const char* stored;
  const char* id;  ///< printf %s STORED | sha256sum | cut -c1-16
};

const StoredSpec kStored[] = {
    {R"({"kind":"train","data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.1},"steps":400})",
     R"({"data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},"kind":"train",)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.1},"steps":400,"threads":1})",
     "96daa199de7dcb13"},
    {R"({"kind":"train","schema":1,"data":{"digest":"035a3cc72cbac99a","pad_to":32,)"
     R"("set":"fashion-mnist"},"model":{"name":"resnet20","options":{"width":1},)"
     R"("norm":{"kind":"noisy-batch","place":"after-activation","options":{"eps":1e-5,)"
     R"("scale":1.5}}},"optimizer":{"name":"sgd","lr":0.5,"momentum":0.8,"weight_decay":5e-4,)"
     R"("milestones":[10,20],"factor":0.1},"batch":64,"steps":30,"seed":2,"threads":2,)"
     R"("divergence_loss":null,"probes":[{"name":"accuracy","every":5,"at_end":true,)"
     R"("parameters":{"split":"test","examples":1000}},{"name":"activations",)"
     R"("parameters":{"layers":[1,2],"images":128,"samples":100}}],"probe_budget":0.05,)"
     R"("trajectory":{"keep":"projection","dims":64}})",
     R"({"batch":64,"data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},)"
     R"("divergence_loss":null,"kind":"train","model":{"name":"resnet20",)"
     R"("norm":{"kind":"noisy-batch","options":{"scale":1.5},"place":"after-activation"}},)"
     R"("optimizer":{"lr":0.5,"milestones":[10,20],"name":"momentum","options":{"momentum":0.8},)"
     R"("weight_decay":0.0005},"probe_budget":0.05,"probes":[{"at_end":true,"every":5,)"
     R"("name":"accuracy","parameters":{"examples":1000}},{"name":"activations",)"
     R"("parameters":{"layers":[1,2],"samples":100}}],"seed":2,"steps":30,"threads":2,)"
     R"("trajectory":{"keep":"projection"}})",
     "425d7200737e473b"},
    {R"({"kind":"train","data":{"digest":"0123456789abcdef","scaling":"none","set":"linear"},)"
     R"("model":{"name":"dln","options":{"normalized":24}},"optimizer":{"lr":1e-6},"batch":1000,)"
     R"("steps":20,"probes":[{"name":"ics"},{"name":"landscape","parameters":{"far":4,)"
     R"("random":true}},{"name":"gradient-sketch","parameters":{"size":2048}}],)"
     R"("trajectory":{"keep":"weights"}})",
     R"({"batch":1000,"data":{"digest":"0123456789abcdef","scaling":"none","set":"linear"},)"
     R"("kind":"train","model":{"name":"dln"},"optimizer":{"lr":1e-06},"probes":[{"name":"ics"},)"
     R"({"name":"landscape","parameters":{"random":true}},{"name":"gradient-sketch"}],)"
     R"("steps":20,"threads":1,"trajectory":{"keep":"weights"}})",
     "109bbceefed1083b"},
    {R"({"kind":"train","data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.1},"steps":400,"probes":[{"name":"accuracy","every":50,)"
     R"("at_end":true,"parameters":{"examples":1000}},{"name":"activations","every":20,)"
     R"("at_end":true,"parameters":{"layers":[2,7]}}]})",
     R"({"data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},"kind":"train",)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.1},"probes":[{"at_end":true,"every":50,"name":"accuracy",)"
     R"("parameters":{"examples":1000}},{"at_end":true,"every":20,"name":"activations",)"
     R"("parameters":{"layers":[2,7]}}],"steps":400,"threads":1})",
     "46e0d2da312a1d64"},
    {R"({"kind":"train","data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"name":"nesterov","lr":0.1,"momentum":0.9},"steps":9})",
     R"({"data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},"kind":"train",)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.1,"name":"nesterov"},"steps":9,"threads":1})",
     "0e5ca51ecfbce6ef"},
    {R"({"kind":"train","data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"name":"adam","lr":0.001,"options":{"beta1":0.9,"beta2":0.99}},"steps":9})",
     R"({"data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},"kind":"train",)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.001,"name":"adam","options":{"beta2":0.99}},"steps":9,"threads":1})",
     "a6634d93496e8d2b"},
    {R"({"kind":"train","data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"name":"rmsprop","lr":0.001,"options":{"momentum":0.9}},"steps":9})",
     R"({"data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},"kind":"train",)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.001,"name":"rmsprop","options":{"momentum":0.9}},"steps":9,)"
     R"("threads":1})",
     "73e13875927879ec"},
    {R"({"kind":"train","data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"name":"adadelta","lr":1,"schedule":"cosine","options":{"rho":0.9,)"
     R"("eps":1e-6}},"steps":9})",
     R"({"data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},"kind":"train",)"
     R"("model":{"name":"vgg11","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":1.0,"name":"adadelta","schedule":"cosine"},"steps":9,"threads":1})",
     "0910314757100791"},
    {R"({"kind":"analysis","analysis":"evaluation","inputs":["00112233aabbccdd"],)"
     R"("parameters":{"split":"test"}})",
     R"({"analysis":"evaluation","inputs":["00112233aabbccdd"],"kind":"analysis","threads":1})", "742ec3af792452aa"},
    {R"({"kind":"analysis","analysis":"evaluation","inputs":["00112233aabbccdd"],)"
     R"("parameters":{"split":"train"}})",
     R"({"analysis":"evaluation","inputs":["00112233aabbccdd"],"kind":"analysis",)"
     R"("parameters":{"split":"train"},"threads":1})",
     "1b4e97a61e4ef3af"},
    {R"({"kind":"analysis","analysis":"dln-closed-form","inputs":["00112233aabbccdd"],)"
     R"("parameters":{}})",
     R"({"analysis":"dln-closed-form","inputs":["00112233aabbccdd"],"kind":"analysis",)"
     R"("threads":1})",
     "139b894db3951c24"},
    {R"({"kind":"analysis","analysis":"least-squares-start","inputs":["00112233aabbccdd"],)"
     R"("parameters":{}})",
     R"({"analysis":"least-squares-start","inputs":["00112233aabbccdd"],"kind":"analysis",)"
     R"("threads":1})",
     "4adddebed0c61277"},
    {R"({"kind":"train","data":{"digest":"035a3cc72cbac99a","draw":0,"pad_to":14,"pool":2,)"
     R"("set":"fashion-mnist"},"model":{"name":"resnet20","norm":{"kind":"batch"},)"
     R"("options":{"width":0.25}},"optimizer":{"lr":0.1},"steps":9,"probes":[{"name":"activations",)"
     R"("parameters":{"layers":[1],"places":["linear","activation-input"]}}]})",
     R"({"data":{"digest":"035a3cc72cbac99a","pool":2,"set":"fashion-mnist"},"kind":"train",)"
     R"("model":{"name":"resnet20","norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.1},"probes":[{"name":"activations","parameters":{"layers":[1],)"
     R"("places":["activation-input","linear"]}}],"steps":9,"threads":1})",
     "8ea1939c5c189c93"},
    {R"({"kind":"train","data":{"augment":"flip-crop","digest":"035a3cc72cbac99a","pad_to":32,)"
     R"("pool":1,"set":"fashion-mnist"},"model":{"init":"glorot-normal","name":"vgg11",)"
     R"("norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.1,"momentum":0.9},"steps":9,"probes":[],"probe_budget":null})",
     R"({"data":{"augment":"flip-crop","digest":"035a3cc72cbac99a","pad_to":32,)"
     R"("set":"fashion-mnist"},"kind":"train","model":{"init":"glorot-normal","name":"vgg11",)"
     R"("norm":{"kind":"batch"},"options":{"width":0.25}},)"
     R"("optimizer":{"lr":0.1,"name":"momentum"},"steps":9,"threads":1})",
     "ccd954861f8865eb"},
    {R"({"kind":"analysis","analysis":"identity-recovery","inputs":["00112233aabbccdd"],"paramet)"
     R"(ers":{"images":128}})",
     R"({"analysis":"identity-recovery","inputs":["00112233aabbccdd"],"kind":"analysis","threads)"
     R"(":1})",
     "1d939c9bb23ffba3"},
    {R"({"data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},"kind":"train",")"
     R"(model":{"name":"vgg11","norm":{"kind":"batch","options":{"affine":1,"beta":1,"gamma":0}})"
     R"(,"options":{"width":0.25}},"optimizer":{"lr":0.1},"steps":400})",
     R"({"data":{"digest":"035a3cc72cbac99a","pad_to":32,"set":"fashion-mnist"},"kind":"train",")"
     R"(model":{"name":"vgg11","norm":{"kind":"batch","options":{"gamma":0.0}},"options":{"width)"
     R"(":0.25}},"optimizer":{"lr":0.1},"steps":400,"threads":1})",
     "b707f2407c8acce7"},
    {R"({"kind":"train","data":{"digest":"035a3cc72cbac99a","set":"fashion-mnist"},"model":{"name":"mlp","op)"
     R"(tions":{"activation":"sigmoid","layers":3,"width":100},"init":"glorot-normal","init_scale":10},"opti)"
     R"(mizer":{"lr":0.1},"steps":400,"probes":[{"name":"unit-percentiles","parameters":{"layers":[3],"image)"
     R"(s":128}},{"name":"layer-gradients","parameters":{"layers":[1,2,3]}}]})",
     R"({"data":{"digest":"035a3cc72cbac99a","set":"fashion-mnist"},"kind":"train","model":{"init":"glorot-n)"
     R"(ormal","init_scale":10.0,"name":"mlp","options":{"activation":"sigmoid"}},"optimizer":{"lr":0.1},"pr)"
     R"(obes":[{"name":"unit-percentiles","parameters":{"layers":[3]}},{"name":"layer-gradients"}],"steps":4)"
     R"(00,"threads":1})",
     "33b246dadb7d81ed"},
    {R"({"kind":"analysis","analysis":"chasing-game","inputs":[],"parameters":{"bn":true,"frozen":false,)"
     R"("points":120,"steps":100,"rate":0.03}})",
     R"({"analysis":"chasing-game","kind":"analysis","parameters":{"bn":true},"threads":1})", "69dbb353701466d2"},
};

const DataFacts kImages{"fashion-mnist", "Fashion-MNIST", "035a3cc72cbac99a", {1, 28, 10}, 60'000, 10'000};
const DataFacts kVectors{"linear", "a random linear map", "0123456789abcdef", {10, 1, 10}, 1000, 1000};

TEST(StoredIds, NeverChange) {
  for (const StoredSpec& spec : kStored) {
    const Json written = Json::parse(spec.written);
    const bool on_vectors = written.contains("data") && written["data"]["set"] == "linear";
    const RunSpec complete = complete_run_spec(parse_run_spec(written), on_vectors ? kVectors : kImages);
    EXPECT_EQ(canonical_json(complete), spec.stored);
    EXPECT_EQ(run_id(complete), spec.id);
  }
}

}  // namespace
}  // namespace bnlab
