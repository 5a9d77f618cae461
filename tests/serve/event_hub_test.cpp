#include "bnlab/serve/event_hub.h"

#include <gtest/gtest.h>

#include <thread>

namespace bnlab {
namespace {

using std::chrono::milliseconds;

TEST(EventHub, EveryReaderGetsEverythingInOrderAndThenTheEnd) {
  EventHub hub(2);
  const auto a = hub.join(), b = hub.join();
  hub.send(*a, "hello a");
  hub.publish("1");
  hub.publish("2");
  hub.close("bye");
  for (const char* message : {"hello a", "1", "2", "bye"}) EXPECT_EQ(a->next(milliseconds(0)), message);
  for (const char* message : {"1", "2", "bye"}) EXPECT_EQ(b->next(milliseconds(0)), message);
  EXPECT_EQ(a->next(milliseconds(0)), std::nullopt);
  EXPECT_EQ(hub.join(), nullptr);
}

TEST(EventHub, WaitsForAMessageAndSaysWhenNoneCame) {
  EventHub hub(1);
  const auto reader = hub.join();
  EXPECT_EQ(reader->next(milliseconds(1)), "");
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(20));
    hub.publish("news");
  });
  EXPECT_EQ(reader->next(milliseconds(60'000)), "news");
  later.join();
}

TEST(EventHub, PlacesOfReadersThatLeftAreFreeAgain) {
  EventHub hub(1);
  auto reader = hub.join();
  EXPECT_EQ(hub.join(), nullptr);
  reader.reset();
  EXPECT_NE(hub.join(), nullptr);
}

TEST(EventHub, LetsGoAReaderThatDoesNotKeepUp) {
  EventHub hub(2, 100);
  const auto slow = hub.join(), quick = hub.join();
  for (int i = 0; i < 20; ++i) {
    hub.publish("ten bytes.");
    EXPECT_EQ(quick->next(milliseconds(0)), "ten bytes.");
  }
  EXPECT_EQ(slow->next(milliseconds(0)), std::nullopt);
}

TEST(EventHub, WaitsUntilItsReadersHaveLeftButNotForEver) {
  EventHub hub(1);
  auto reader = hub.join();
  const auto start = std::chrono::steady_clock::now();
  hub.wait_until_left(milliseconds(20));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(20)) << "it is still there";
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(20));
    reader.reset();
  });
  hub.wait_until_left(milliseconds(60'000));
  EXPECT_NE(hub.join(), nullptr) << "its place is free";
  later.join();
}

TEST(EventHub, WritesEventsAsTheStandardSays) {
  EXPECT_EQ(event_message("runs", "{}"), "event: runs\ndata: {}\n\n");
}

}  // namespace
}  // namespace bnlab
